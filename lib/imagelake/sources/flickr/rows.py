"""Photos of Flickr as rows of `records`: addresses, sizes and licences.

In: a photo as `photos.search`, `groups.pools.getPhotos` or `photos.getInfo` describe it. Out: columns.
Source of the addresses: https://www.flickr.com/services/api/misc.urls.html.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from imagelake.sources.names import printable
from imagelake.sources.rights import flickr_licence, licence_of

Photo = Mapping[str, Any]
Row = dict[str, object]

# Suffix of the file by key, and the field of the `extras` that gives its address; smaller sizes first.
SIZES = {
    "s": "url_sq", "q": "url_q", "t": "url_t", "m": "url_s", "n": "url_n", "w": "url_w", "none": "url_m",
    "z": "url_z", "c": "url_c", "b": "url_l", "h": "url_h", "k": "url_k", "3k": "url_3k", "4k": "url_4k",
    "f": "url_f", "5k": "url_5k", "6k": "url_6k", "o": "url_o",
}  # fmt: skip
DEFAULT_SIZE = "b"  # 1024 px: the largest whose address follows from the photo's secret
# The others have a secret of their own, which only the API tells.
FROM_SECRET = ("s", "q", "t", "m", "n", "w", "none", "z", "c", "b")
_EXTRAS = "license,owner_name,date_upload,date_taken,tags,geo,media,o_dims,description"


def extras(size: str) -> str:
    """The argument `extras` with which a list of photos tells all that a row has, and the address in a size."""
    names = list(SIZES)
    urls = [SIZES[name] for name in names[names.index("none") : names.index(size) + 1]] or [SIZES[size]]
    return ",".join([_EXTRAS, *urls, *({"url_m", "url_o"} - set(urls))])


def media_url(photo: Photo, size: str) -> str | None:
    """The address of a photo's file in a size.

    An address under `media_url`, which a list of photos gave, stands as it is. Next comes what the API told: the
    size, else the next smaller one, since small originals lack the large sizes. Where it told none, the address is
    built from id, secret and server; for a size with a secret of its own that is the one of 1024 px.

    Returns:
        None where secret or server are missing.
    """
    if photo.get("media_url"):
        return str(photo["media_url"])
    names = list(SIZES)
    for name in reversed(names[: names.index(size) + 1]):
        if photo.get(SIZES[name]):
            return str(photo[SIZES[name]])
    if photo.get("url_o"):
        return str(photo["url_o"])  # the original is smaller than every size
    if size == "o" and photo.get("originalsecret"):  # getInfo tells it where the owner lets the original be loaded
        original = {**photo, "secret": photo["originalsecret"]}
        return (static_url(original, size) or "").removesuffix("jpg") + str(photo.get("originalformat") or "jpg")
    return static_url(photo, size if size in FROM_SECRET else DEFAULT_SIZE)


def static_url(photo: Photo, size: str) -> str | None:
    """The address of a file, built from id, secret and server."""
    if not photo.get("secret") or not photo.get("server"):
        return None
    suffix = "" if size == "none" else f"_{size}"
    return f"https://live.staticflickr.com/{photo['server']}/{photo['id']}_{photo['secret']}{suffix}.jpg"


def page_url(photo: Photo) -> str:
    """The page of a photo; without its owner an address that leads there."""
    owner = photo.get("owner")
    if isinstance(owner, Mapping):
        owner = owner.get("nsid")
    if owner:
        return f"https://www.flickr.com/photos/{owner}/{photo['id']}"
    return f"https://www.flickr.com/photo.gne?id={photo['id']}"


def content(value: object) -> str | None:
    """A text that Flickr writes as it is or as `{"_content": text}`; None for an empty one."""
    if isinstance(value, Mapping):
        value = value.get("_content")
    return str(value).strip() or None if value is not None else None


def tags(photo: Photo) -> list[str] | None:
    """The tags of a photo, from a list of photos (one text) or from getInfo (as their owner wrote them)."""
    found = photo.get("tags")
    if isinstance(found, Mapping):
        given = found.get("tag")
        items: Sequence[Any] = given if isinstance(given, Sequence) else ()
        names = [str(tag.get("raw") or tag.get("_content")) for tag in items if isinstance(tag, Mapping)]
    else:
        names = str(found or "").split()
    return [printable(name) for name in names] or None


def record(photo: Photo, rights: str | None, size: str, raw: Mapping[str, object]) -> Row:
    """The row of `records` of a photo, but dataset and query.

    Args:
        photo: as a list of photos or getInfo describes it.
        rights: the address of its licence, or "All Rights Reserved"; None when unknown.
        size: a key of `SIZES`.
        raw: what the column `raw` holds.
    """
    owner = photo.get("owner")
    named = owner.get("username") if isinstance(owner, Mapping) else photo.get("ownername") or owner
    licence = flickr_licence(photo.get("license"))
    if licence.code is None:
        licence = licence_of(rights)
    row = {
        "provider": "flickr",
        "source_id": str(photo["id"]),
        "title": content(photo.get("title")),
        "creator": content(named),
        "description": content(photo.get("description")),
        "rights": rights,
        "licence": licence.code,
        "reusability": licence.reusability,
        "tags": tags(photo),
        "media_url": media_url(photo, size),
        "page_url": page_url(photo),
        "thumbnail_url": static_url(photo, "m"),
        "raw": compact(raw),
    }
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}


def compact(value: object) -> str:
    """JSON without blanks; what UTF-8 cannot hold is replaced."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
