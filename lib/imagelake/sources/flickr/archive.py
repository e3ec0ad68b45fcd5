"""Training data of the thesis's Flickr crawler: `<super>/<sub>/{images,exif}` in a folder or archive, as records.

Images are named `{id}_{secret}_{server}_{size}.jpg`, the EXIF of each lies in `{id}.json` as Flickr replied. A record's
address is the origin that `imagelake ingest` gives to the image, so the two find each other.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from imagelake.errors import SourceError
from imagelake.sources.flickr.collect import count
from imagelake.sources.flickr.rows import Row, record
from imagelake.sources.harvesting import Known, Page
from imagelake.sources.members import members

ROWS = 500
UNREADABLE = "EXIF files that cannot be read"
REPEATED = "files of a photo that another file has given"
_IMAGE = re.compile(r"(\d{1,20})_([0-9A-Za-z]+)_([0-9A-Za-z]+)(?:_(\w*| ))?\.jpe?g", re.IGNORECASE)


@dataclass
class Stored:
    """A photo of the data set.

    Args:
        photo: id, secret and server, from the name of its file.
        origin: the first of its files.
        labels: task and label, of all its files.
        files: how many there are.
    """

    photo: Row
    origin: str
    labels: list[tuple[str, str]] = field(default_factory=list)
    files: int = 1


@dataclass(frozen=True)
class Tasks:
    """Names of the labelling tasks for the upper and the lower folder; an empty one gives no labels."""

    upper: str = "super"
    lower: str = "sub"


def archive_pages(source: str, known: Known, tasks: Tasks) -> Iterator[Page]:
    """The pages of a data set; photos that have several files count as already present for each but the first.

    Raises:
        SourceError: there is no such source, or it holds no images in this layout.
    """
    photos = _photos(source, tasks)
    if not photos:
        raise SourceError(f"{source}: no images as <super>/<sub>/images/ID_SECRET_SERVER_SIZE.jpg in it")
    fresh, present = known.split([{"source_id": number} for number in photos])
    new = {str(row["source_id"]) for row in fresh}
    repeats = sum(one.files - 1 for one in photos.values())
    if repeats:
        known.details[REPEATED] = repeats
    page = Page(rows={"records": [], "record_labels": _labels(list(photos.values()))}, present=present + repeats)
    rows = _rows(source, {number: photos[number] for number in new}, known.details)
    while some := list(islice(rows, ROWS)):
        page.rows["records"] = some
        yield page
        page = Page(rows={})
    if page.rows:
        yield page


def _photos(source: str, tasks: Tasks) -> dict[str, Stored]:
    photos: dict[str, Stored] = {}
    for origin, _ in members(source, lambda _: False):
        folders, name = _split(origin)
        named = _IMAGE.fullmatch(name)
        if folders[-1:] != ["images"] or not named:
            continue
        labels = _labels_of(origin, source, tasks)
        one = photos.get(named[1])
        if one is None:
            photo: Row = {"id": named[1], "secret": named[2], "server": named[3]}
            photos[named[1]] = Stored(photo, origin, labels)
        else:
            one.files += 1
            one.labels += [label for label in labels if label not in one.labels]
    return photos


def _split(origin: str) -> tuple[list[str], str]:
    """The folders of a file and its name."""
    folder, name = posixpath.split(origin.replace("!", "/"))
    return folder.split("/"), name


def _labels_of(origin: str, source: str, tasks: Tasks) -> list[tuple[str, str]]:
    """The labels that the two folders around `images` give; a comma in a name separates labels."""
    archive, _, inner = origin.rpartition("!")
    inside = inner if archive else origin.removeprefix(source)
    folders = [folder for folder in inside.split("/")[:-2] if folder]
    lower = folders[-1] if folders else ""
    upper = folders[-2] if len(folders) > 1 else ""
    pairs = ((tasks.upper, upper), (tasks.lower, lower))
    return [(task, part.strip()) for task, text in pairs if task for part in text.split(",") if part.strip()]


def _rows(source: str, photos: dict[str, Stored], details: dict[str, object]) -> Iterator[Row]:
    """The records of new photos: those with EXIF in the order of its files, then the others."""
    left = dict(photos)
    for origin, data in members(source, lambda origin: _exif_of(origin) in left):
        number = _exif_of(origin)
        if number not in left:
            continue
        exif = _exif(data)
        if exif is None:
            count(details, UNREADABLE)
        yield _row(left.pop(number), exif)
    yield from (_row(one, None) for one in left.values())


def _exif_of(origin: str) -> str:
    """The id of the photo whose EXIF a file holds, or an empty text."""
    folders, name = _split(origin)
    return name[: -len(".json")] if folders[-1:] == ["exif"] and name.endswith(".json") else ""


def _exif(data: bytes | None) -> list[object] | None:
    """The list of tags in a reply of getExif."""
    try:
        reply = json.loads(data or b"")
        exif = reply["photo"]["exif"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return exif if isinstance(exif, list) else None


def _row(one: Stored, exif: list[object] | None) -> Row:
    raw: Row = {"photo": one.photo, "exif": exif, "exif_status": "ok" if exif else "none"}
    return record({**one.photo, "media_url": one.origin}, None, "none", raw)


def _labels(photos: Sequence[Stored]) -> list[Row]:
    return [
        {"provider": "flickr", "source_id": one.photo["id"], "task": task, "label": label}
        for one in photos
        for task, label in one.labels
    ]
