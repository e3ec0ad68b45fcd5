"""flickr.photos.search: which photos, in which order, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.servers.flickr_photos import GROUPS, LICENCES, OWNERS, TAGS, TITLES, Photos
from tests.servers.messages import Seen

Array = NDArray[Any]
ARGUMENTS = (
    *("text", "tags", "tag_mode", "user_id", "group_id", "license", "media", "bbox", "has_geo", "sort"),
    *("min_upload_date", "max_upload_date", "min_taken_date", "max_taken_date"),
)
DELETED_USER = "99999999@N99"
LIMITING = (
    *("text", "tags", "user_id", "group_id", "min_upload_date", "max_upload_date", "min_taken_date", "max_taken_date"),
    *("bbox", "lat", "woe_id", "place_id", "machine_tags", "license", "jump_to", "similarity_id", "contacts", "faves"),
)


def refused(request: Seen) -> int | None:
    """The code with which a search is refused."""
    return next((code for code, is_wrong in _REFUSALS.items() if is_wrong(request)), None)


@lru_cache(maxsize=256)
def find(photos: Photos, arguments: tuple[tuple[str, str], ...]) -> Array:
    """The numbers of the photos that meet all arguments of flickr.photos.search, in the order asked for."""
    given = dict(arguments)
    mask = np.ones(photos.count, bool)
    for name, value in given.items():
        if name in _FILTERS:
            mask &= _FILTERS[name](photos, value, given)
    found = np.flatnonzero(mask)
    sort = given.get("sort", "date-posted-desc")
    if sort.startswith(("relevance", "interestingness")):
        order = np.random.default_rng(len(given.get("text", ""))).permutation(photos.count)[found]
    else:
        order = photos.taken[found] if sort.startswith("date-taken") else found
    ordered = found[np.argsort(order, kind="stable")]
    return ordered if sort.endswith("-asc") else ordered[::-1]


def _when(text: str) -> float:
    return int(text) if text.lstrip("-").isdecimal() else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _has_text(photos: Photos, text: str, _: dict[str, str]) -> Array:
    mask: Array = np.ones(photos.count, bool)
    for word in text.lower().split():
        titled = [word in title.lower() for title in TITLES]
        has: Array = np.array(titled)[np.arange(photos.count) % len(TITLES)]
        if word in TAGS:
            has = has | photos.tags[:, TAGS.index(word)]
        mask &= has
    return mask


def _has_tags(photos: Photos, tags: str, given: dict[str, str]) -> Array:
    names = [tag.strip().lower() for tag in tags.split(",")]
    columns: list[Array] = [
        photos.tags[:, TAGS.index(tag)] if tag in TAGS else np.zeros(photos.count, bool) for tag in names
    ]
    found: Array = np.all(columns, axis=0) if given.get("tag_mode") == "all" else np.any(columns, axis=0)
    return found


def _in_box(photos: Photos, box: str, _: dict[str, str]) -> Array:
    west, south, east, north = map(float, box.split(","))
    x, y = photos.longitude, photos.latitude
    return photos.has_geo & (west <= x) & (x <= east) & (south <= y) & (y <= north)


_FILTERS: dict[str, Callable[[Photos, str, dict[str, str]], Any]] = {
    "text": _has_text,
    "tags": _has_tags,
    "user_id": lambda photos, value, _: photos.owner == OWNERS.index(value),
    "license": lambda photos, value, _: np.isin(
        np.array([number for number, _, _ in LICENCES])[photos.licence], [int(part) for part in value.split(",")]
    ),
    "media": lambda photos, value, _: ~photos.is_video if value == "photos" else photos.is_video | (value == "all"),
    "bbox": _in_box,
    "group_id": lambda photos, value, _: photos.in_group[:, list(GROUPS).index(value)],
    "has_geo": lambda photos, value, _: photos.has_geo == (value == "1"),
    "min_upload_date": lambda photos, value, _: photos.uploaded >= _when(value),
    "max_upload_date": lambda photos, value, _: photos.uploaded <= _when(value),
    "min_taken_date": lambda photos, value, _: photos.taken >= _when(value),
    "max_taken_date": lambda photos, value, _: photos.taken <= _when(value),
}
_REFUSALS: dict[int, Callable[[Seen], bool]] = {
    3: lambda request: not any(request.get(name) for name in LIMITING),
    1: lambda request: request.get("tag_mode") == "all" and request.get("tags").count(",") >= 20,
    5: lambda request: request.get("user_id") == DELETED_USER,
    2: lambda request: bool(request.get("user_id")) and request.get("user_id") not in OWNERS,
    4: lambda request: request.get("group_id") in tuple(GROUPS)[2:],
    11: lambda request: bool(request.get("machine_tags")) and ":" not in request.get("machine_tags"),
    12: lambda request: request.get("machine_tags").count(",") >= 8,
    14: lambda request: bool(request.get("jump_to")) and not request.get("jump_to").isdecimal(),
    13: lambda request: bool(request.get("jump_to")),
    16: lambda request: bool(request.get("faves")),
    17: lambda request: bool(request.get("contacts")),
    19: lambda request: bool(request.get("similarity_id")),
    18: lambda request: (
        bool(request.get("min_upload_date") and request.get("max_upload_date"))
        and _when(request.get("min_upload_date")) > _when(request.get("max_upload_date"))
    ),
}
