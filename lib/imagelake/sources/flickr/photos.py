"""Photos of a list of ids as pages of records.

In: what `ids.read_entries` found. With an API key each photo is asked about (`getInfo`: licence, visibility,
title, tags; `getExif`); without one only what the list tells is known.
"""

from collections.abc import Iterator, Mapping, Sequence

from imagelake.errors import BadItem
from imagelake.sources.flickr.collect import (
    Collector,
    Columns,
    Describe,
    Described,
    Found,
    Wanted,
    check_photo,
    exif_part,
    has_secret,
)
from imagelake.sources.flickr.ids import PLACEHOLDER_SERVER, Entry
from imagelake.sources.flickr.rows import Photo
from imagelake.sources.flickr.service import KEY_VARIABLE, Flickr, as_int, code_of
from imagelake.sources.harvesting import Known, Page

AT_ONCE = 500  # entries looked up in the lake together
_WITH_KEY = f"set {KEY_VARIABLE} and give --retry-failed to ask for it"
_LISTED = "media_url"  # where an entry's own address travels with its photo


def describe_by_info(flickr: Flickr, wanted: Wanted) -> Describe:
    """Describe photos by `getInfo` and, where wanted, by their EXIF.

    The function raises BadItem: `not_found`, `not_public`, `not_a_photo`, `no_secret`, `exif_denied`,
    `missing_tags`.
    """

    def describe(photo: Photo) -> Described:
        known = photo if photo.get("server") != PLACEHOLDER_SERVER else {"id": photo["id"]}
        info = _info(flickr, known)
        told = {**info, "id": photo["id"]}
        if not has_secret(told) and not photo.get(_LISTED):
            raise BadItem("no_secret", "Flickr tells no secret or server of the photo")
        part = exif_part(flickr, told, wanted)
        return Described(_with_address(told, photo), {"photo": info, **part})

    return describe


def _info(flickr: Flickr, photo: Photo) -> Photo:
    arguments = {"photo_id": photo["id"], "secret": photo.get("secret")}
    reply = flickr.call("flickr.photos.getInfo", arguments, answers=(1,))
    info = reply.get("photo")
    if code_of(reply) == 1 or not isinstance(info, Mapping):
        raise BadItem("not_found", "Flickr has no such photo (any more), or does not show it")
    visibility = info.get("visibility")
    if isinstance(visibility, Mapping) and as_int(visibility.get("ispublic"), 1) != 1:
        raise BadItem("not_public", "the owner of the photo does not show it to everybody")
    check_photo(info)
    return info


def describe_without_key(photo: Photo) -> Described:
    """Describe photos by what their list tells.

    Raises:
        BadItem: `placeholder_server`, `no_secret`: the photo has no address; with an API key it can be asked for.
    """
    told = {name: value for name, value in photo.items() if name != _LISTED}
    if photo.get("server") == PLACEHOLDER_SERVER:
        raise BadItem("placeholder_server", f"server {PLACEHOLDER_SERVER} stands for an unknown one; {_WITH_KEY}")
    if not has_secret(photo) and not photo.get(_LISTED):
        raise BadItem("no_secret", f"the list tells no secret and server of the photo; {_WITH_KEY}")
    return Described(_with_address(told, photo), {"photo": told})


def _with_address(photo: Photo, listed: Photo) -> Photo:
    """The photo with the address that the list gave; it is preferred as if it were the largest size."""
    address = listed.get(_LISTED)
    return {**photo, _LISTED: address} if address else photo


def photo_pages(
    entries: Sequence[Entry], bad: Sequence[tuple[str, BadItem]], wanted: Wanted, flickr: Flickr | None, known: Known
) -> Iterator[Page]:
    """The pages of listed photos; those that are listed again count as already present.

    Args:
        entries: the photos.
        bad: what names none.
        wanted: what is wanted; `label` is added to the photos' own concepts.
        flickr: the API, or None without a key.
        known: what the lake has.

    Raises:
        ApiError: the API refuses.
    """
    describe = describe_by_info(flickr, wanted) if flickr else describe_without_key
    columns = Columns(wanted.size, wanted.task)
    rights = flickr.rights if flickr else lambda _: None
    collector = Collector(known, describe, columns, rights, wanted.limit, asks=flickr is not None)
    _report(entries, known.details)
    new = [(item, reason) for item, reason in bad if not known.was_rejected(item)]
    yield Page(rejects=new, present=len(bad) - len(new))
    for start in range(0, len(entries), AT_ONCE):
        some = entries[start : start + AT_ONCE]
        repeats = sum(entry.times - 1 for entry in some)
        found = [Found(_photo(entry), (*entry.concepts, *wanted.labels)) for entry in some]
        for page, _ in collector.pages(found):
            page.present += repeats
            repeats = 0
            yield page
        if collector.is_full:
            return


def _report(entries: Sequence[Entry], details: dict[str, object]) -> None:
    """What of the file must not go unsaid."""
    details["ids listed"] = sum(entry.times for entry in entries)
    details["different ids"] = len(entries)
    details["ids listed more than once"] = sum(entry.times > 1 for entry in entries)
    details[f"rows with the placeholder server {PLACEHOLDER_SERVER}"] = sum(entry.placeholders for entry in entries)


def _photo(entry: Entry) -> Photo:
    told = {"id": entry.photo_id, "secret": entry.secret, "server": entry.server, _LISTED: entry.media_url}
    return {name: value for name, value in told.items() if value is not None}
