"""How people name photos and groups of Flickr: numbers, addresses, short links, and files of them.

In: a text or a file. Out: photo ids, with secret, server and concepts where they are told.
Source of the short links: https://www.flickr.com/groups/api/discuss/72157616713786392/.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import first_line
from imagelake.sources.flickr.rows import FROM_SECRET
from imagelake.sources.names import printable

ALPHABET = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
PLACEHOLDER_SERVER = "1234"  # the thesis's crawler wrote it where it did not know the server
_SHORT = re.compile(r"(?:https?://)?(?:www\.)?flic\.kr/(p|g)/([0-9A-Za-z]+)/?")
_STATIC = re.compile(
    r"https?://[\w.-]*static\.?flickr\.com/(?:[\w-]+/)*?(\d+)/(\d+)_([0-9A-Za-z]+)(?:_(\w+))?\.\w+(?:\?.*)?"
)
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?flickr\.com/(?:photos/[^/?#]+/|photo\.gne\?(?:.*&)?id=)(\d+)(?:[/?#&].*)?"
)
_GROUP_ID = re.compile(r"(?:(?:https?://)?(?:www\.|m\.)?flickr\.com/groups/)?(\d+@N\d\d)(?:/.*)?")
_GROUP_PAGE = re.compile(r"(?:https?://)?(?:www\.|m\.)?flickr\.com/groups/([\w-]+)(?:/.*)?")
_CONCEPTS = ("concept", "label")


@dataclass
class Entry:
    """A photo of a file.

    Args:
        photo_id: its number.
        secret: part of its address; None when not told.
        server: the same.
        media_url: the address of the file, where the list gives one.
        concepts: in the order of the file.
        times: how often it is listed.
        placeholders: how often with the placeholder for a server.
    """

    photo_id: str
    secret: str | None = None
    server: str | None = None
    media_url: str | None = None
    concepts: list[str] = field(default_factory=list)
    times: int = 1
    placeholders: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether secret and server are known."""
        return bool(self.secret and self.server and self.server != PLACEHOLDER_SERVER)


def from_base58(text: str) -> int:
    """The number that a short link stands for.

    Raises:
        ValueError: a character that base 58 does not have (0, O, I, l).
    """
    number = 0
    for character in text:
        number = number * len(ALPHABET) + ALPHABET.index(character)
    return number


def to_base58(number: int) -> str:
    """The text of a short link; the opposite of `from_base58`."""
    text = ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return text


def entry_of(text: str) -> Entry:
    """The photo that a number, an address of its page or file, or a short link names.

    Raises:
        BadItem: `not_a_photo_id`.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,20}", text):
        return Entry(text)
    if found := _STATIC.fullmatch(text):
        server, photo_id, secret, size = found.groups()
        own = secret if size is None or size in FROM_SECRET else None  # the large sizes have secrets of their own
        return Entry(photo_id, own, server, media_url=text)
    if found := _PAGE.fullmatch(text):
        return Entry(found[1])
    found = _SHORT.fullmatch(text)
    if found and found[1] == "p" and set(found[2]) <= set(ALPHABET):
        return Entry(str(from_base58(found[2])))
    raise BadItem("not_a_photo_id", f"no photo id, photo page, photo address or short link: {printable(text[:100])}")


def group_of(text: str) -> tuple[str, bool]:
    """The group that an id, the address of its page or a short link names.

    Returns:
        Its id and True; or the address of its page, which the API must look up, and False.

    Raises:
        SourceError: the text names no group.
    """
    text = text.strip()
    if found := _GROUP_ID.fullmatch(text):
        return found[1], True
    found = _SHORT.fullmatch(text)
    if found and found[1] == "g" and set(found[2]) <= set(ALPHABET) and len(found[2]) > 2:
        number = str(from_base58(found[2]))
        return f"{number[:-2]}@N{number[-2:]}", True
    if found := _GROUP_PAGE.fullmatch(text):
        return f"https://www.flickr.com/groups/{found[1]}/", False
    raise SourceError(f"{text[:100]}: name a group by its id (34427465497@N01), its page, or a flic.kr/g/ link")


def read_entries(path: str) -> tuple[list[Entry], list[tuple[str, BadItem]]]:
    """Read a file of photos.

    It is JSON, a list of `{"id", "secret", "server"}` or a mapping from concept to such a list (where they stand,
    numbers and addresses do as well); or CSV with a column `id` (and `secret`, `server`, `concept`); or text with an
    id, an address or a short link on each line.

    Returns:
        The photos, each once, in the order in which they are first named, and what names none.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig", errors="surrogateescape")
        rows = _json_rows(json.loads(text)) if text.lstrip()[:1] in {"[", "{"} else _text_rows(text)
        return _merged(rows)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise SourceError(f"{printable(path)}: cannot be read as a list of photos: {first_line(error)}") from error


def _json_rows(data: Any) -> Iterator[tuple[Any, str | None]]:
    groups = data.items() if isinstance(data, Mapping) else [(None, data)]
    for concept, rows in groups:
        if not isinstance(rows, list):
            raise ValueError("a list of photos, or a mapping from concept to such lists, is expected")  # noqa: TRY004
        for row in rows:
            yield row, concept


def _text_rows(text: str) -> Iterator[tuple[Any, str | None]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    rows = csv.reader(lines, delimiter=delimiter)
    first = next(rows, [])
    names = [name.strip().lower() for name in first]
    columns = ["id" if name in {"photo_id", "photoid"} else name for name in names]
    if "id" not in columns:
        yield from ((row[0], None) for row in (first, *rows) if row)
        return
    for row in rows:
        values = dict(zip(columns, (value.strip() for value in row), strict=False))
        yield values, next((values[name] for name in _CONCEPTS if values.get(name)), None)


def _merged(rows: Iterable[tuple[Any, str | None]]) -> tuple[list[Entry], list[tuple[str, BadItem]]]:
    entries: dict[str, Entry] = {}
    bad: dict[str, BadItem] = {}
    for row, concept in rows:
        try:
            entry = _entry(row)
        except BadItem as reason:
            bad.setdefault(f"flickr:{printable(str(row)[:200])}", reason)
            continue
        if concept:
            entry.concepts = [printable(concept.strip())]
        _add(entries, entry)
    return list(entries.values()), list(bad.items())


def _entry(row: Any) -> Entry:
    if not isinstance(row, Mapping):
        return entry_of(str(row))
    entry = entry_of(str(row.get("id", "")))
    entry.secret = _token(row.get("secret")) or entry.secret
    entry.server = _token(row.get("server")) or entry.server
    entry.placeholders = int(entry.server == PLACEHOLDER_SERVER)
    return entry


def _token(value: object) -> str | None:
    text = str(value).strip() if value is not None else ""
    return text if re.fullmatch(r"[0-9A-Za-z]{1,64}", text) else None


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    """Add a photo, or what is new of it to the one that is there."""
    first = entries.setdefault(entry.photo_id, entry)
    if first is entry:
        return
    first.times += 1
    first.placeholders += entry.placeholders
    first.concepts += [concept for concept in entry.concepts if concept not in first.concepts]
    first.media_url = first.media_url or entry.media_url
    if entry.is_complete and not first.is_complete:
        first.secret, first.server = entry.secret, entry.server
