"""MIRFLICKR: `im{n}.jpg`, `exif{n}.txt`, `tags{n}.txt` and annotation files, in a folder or archives, as records.

An annotation file names a concept and has the number of an image on each line: `<concept>.txt` for images that may
show it, `<concept>_r1.txt` for those in which it is prominent. A record's address is the origin that `imagelake ingest`
gives to the image, so the two find each other.
Source: M. Huiskes, M. Lew, The MIR Flickr retrieval evaluation, 2008.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from imagelake.errors import SourceError
from imagelake.sources.flickr.rows import Row, compact
from imagelake.sources.harvesting import Known, Page
from imagelake.sources.members import members
from imagelake.sources.names import printable

PROVIDER = "mirflickr"
ROWS = 500
TASK, RELEVANT_TASK = "mirflickr", "mirflickr_relevant"
OTHERS = "text files that are neither EXIF, tags nor annotations"
_NUMBERED = re.compile(r"(im|exif|tags|license)(\d+)\.(jpe?g|txt)", re.IGNORECASE)
_NAME = re.compile(r"-+\s*[A-Za-z]")
_RELEVANT = re.compile(r"(.+)_r\d+")
_PREFERRED = {"exif": "exif_raw", "tags": "tags"}  # folders, of those that hold files of the same name


@dataclass
class Collection:
    """What was found, by number of the image.

    Args:
        origins: the image's file.
        exif: its EXIF, value by name.
        tags: its tags.
        labels: task and label.
        repeats: files of images whose number another file had.
        others: text files that say nothing.
    """

    origins: dict[int, str] = field(default_factory=dict)
    exif: dict[int, dict[str, str]] = field(default_factory=dict)
    tags: dict[int, list[str]] = field(default_factory=dict)
    labels: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    repeats: int = 0
    others: int = 0


def mirflickr_pages(source: str, known: Known) -> Iterator[Page]:
    """The pages of the collection, images in the order of their numbers.

    Raises:
        SourceError: there is no such source, or no image of the collection in it.
    """
    found = _read(source)
    if not found.origins:
        raise SourceError(f"{source}: no images named im1.jpg, im2.jpg, ... in it")
    if found.others:
        known.details[OTHERS] = found.others
    numbers = sorted(found.origins)
    repeats = found.repeats
    for start in range(0, len(numbers), ROWS):
        some = numbers[start : start + ROWS]
        rows, present = known.split([_row(number, found) for number in some])
        labels: list[Row] = [
            {"provider": PROVIDER, "source_id": str(number), "task": task, "label": label}
            for number in some
            for task, label in found.labels.get(number, ())
        ]
        yield Page(rows={"records": rows, "record_labels": labels}, present=present + repeats)
        repeats = 0


def _read(source: str) -> Collection:
    found = Collection()
    for origin, data in members(source, lambda origin: origin.lower().endswith(".txt")):
        folder, name = posixpath.split(origin.replace("!", "/"))
        numbered = _NUMBERED.fullmatch(name)
        if numbered and numbered[3].lower() != "txt":
            if numbered[1].lower() == "im":
                found.repeats += int(numbered[2]) in found.origins
                found.origins.setdefault(int(numbered[2]), origin)
        elif data is not None:
            text = printable(data.decode("utf-8", "surrogateescape"))
            if numbered:
                _add_text(found, numbered[1].lower(), int(numbered[2]), posixpath.basename(folder), text)
            else:
                _add_annotation(found, posixpath.splitext(name)[0], text)
    return found


def _add_text(found: Collection, kind: str, number: int, folder: str, text: str) -> None:
    """EXIF or tags of an image; where two folders have them, the raw EXIF counts, and the tags that are not raw."""
    is_preferred = folder.lower() == _PREFERRED.get(kind)
    if kind == "exif" and (is_preferred or number not in found.exif):
        found.exif[number] = parse_exif(text)
    elif kind == "tags" and (is_preferred or number not in found.tags):
        found.tags[number] = [line.strip() for line in text.splitlines() if line.strip()]


def parse_exif(text: str) -> dict[str, str]:
    """Tags of lines that alternate between a name, with a hyphen before it, and a value; the last of a name counts.

    A line without hyphen goes on with the value before it. In a text without hyphens every other line is a name.
    """
    lines = [line.strip() for line in text.splitlines()]
    if not any(_NAME.match(line) for line in lines):
        return {name: value for name, value in zip(lines[::2], lines[1::2], strict=False) if name and value}
    tags: dict[str, str] = {}
    name = ""
    for line in filter(None, lines):
        if _NAME.match(line):
            name = line.lstrip("-").strip()
            tags[name] = ""
        elif name:
            tags[name] = f"{tags[name]}\n{line}".strip()
    return {name: value for name, value in tags.items() if value}


def _add_annotation(found: Collection, concept: str, text: str) -> None:
    lines = text.split()
    if not lines or not all(re.fullmatch(r"[0-9]{1,9}", line) for line in lines):
        found.others += 1
        return
    relevant = _RELEVANT.fullmatch(concept)
    label = (RELEVANT_TASK, printable(relevant[1])) if relevant else (TASK, printable(concept))
    for number in dict.fromkeys(map(int, lines)):
        labels = found.labels.setdefault(number, [])
        if label not in labels:
            labels.append(label)


def _row(number: int, found: Collection) -> Row:
    exif = found.exif.get(number)
    raw = {"number": number, "exif": exif, "exif_status": "ok" if exif else "none"}
    return {
        "provider": PROVIDER,
        "source_id": str(number),
        "dataset": "MIRFLICKR",
        "tags": found.tags.get(number) or None,
        "media_url": found.origins[number],
        "raw": compact(raw),
    }
