"""Lists of addresses: the lines of `list_rows` in, pages of records with every other column in `raw` out."""

import json
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from imagelake.errors import BadItem, SourceError
from imagelake.fetch.address import parse_address
from imagelake.sources.harvesting import ROWS, Known, Page, Row
from imagelake.sources.list_rows import URL, Line, lines_of
from imagelake.sources.names import printable
from imagelake.sources.rights import licence_of

PROVIDER = "urls"
URL_COLUMNS = (
    *(URL, "image_url", "media_url", "img_url", "imageurl", "picture_url", "photo_url", "file_url", "uri", "src"),
    *("image_src", "link", "href", "contenturl"),
)
_LINES = 10_000  # on a page: asking what the lake has costs the same for few and for many
_LOOKED_AT = 100  # lines that the columns are chosen by
_REJECTED_EARLIER = "rejected by earlier runs and not reported again (--retry-failed)"
_ADDRESS = re.compile(r"\s*https?://", re.IGNORECASE)
_PATH = re.compile(r"(?![a-z][a-z0-9+.-]+:)|(?:file|s3):", re.IGNORECASE)  # no scheme, or one letter: C:\pictures
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Columns:
    """Which column holds what; None for one that there is not, or that is to be guessed (url, sha256).

    Names are compared exactly, then without regard to case. `task` is the labelling task of `label`.
    """

    url: str | None = None
    id: str | None = None
    caption: str | None = None
    sha256: str | None = None
    licence: str | None = None
    rights: str | None = None
    label: str | None = None
    task: str = ""


class UrlList(NamedTuple):
    """A list that was looked into.

    Attributes:
        source: path or `s3://` URI.
        columns: the columns by the names that they have in this list.
    """

    source: str
    columns: Columns


def look_into(source: str, wanted: Columns) -> UrlList:
    """Find the columns of a list, by its first lines.

    Raises:
        SourceError: the list is missing, empty or unreadable, or has no such column.
    """
    rows = [line.row for line in islice(lines_of(source), _LOOKED_AT)]
    if not rows:
        raise SourceError(f"{printable(source)}: the list has no lines")
    good = [row for row in rows if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in good for name in row))
    found = {
        role: _named(source, name, names)
        for role, name in vars(wanted).items()
        if role not in ("url", "sha256", "task") and name is not None
    }
    return UrlList(
        source,
        Columns(
            url=_named(source, wanted.url, names) if wanted.url else _url_column(source, names, good),
            sha256=_named(source, wanted.sha256, names) if wanted.sha256 else _match("sha256", names),
            task=wanted.task,
            **found,
        ),
    )


def _match(name: str, names: Sequence[str]) -> str | None:
    same = [n for n in names if n.strip().lower() == name.lower()]
    return name if name in names else next(iter(same), None)


def _named(source: str, name: str, names: Sequence[str]) -> str:
    found = _match(name, names)
    if found is None:
        raise SourceError(f"{printable(source)}: there is no column {name!r}, only {_listed(names)}")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name)[:60] for name in names[:40]) or "lines that cannot be read"


def _url_column(source: str, names: Sequence[str], rows: Sequence[Row]) -> str:
    for name in URL_COLUMNS:
        if found := _match(name, names):
            return found
    likely = names if len(names) == 1 else [name for name in names if _holds_addresses(name, rows)]
    if len(likely) != 1:
        raise SourceError(
            f"{printable(source)}: which column holds the addresses? Name it with --url-col: {_listed(names)}"
        )
    return likely[0]


def _holds_addresses(name: str, rows: Sequence[Row]) -> bool:
    values = [row[name] for row in rows if row.get(name) not in (None, "")]
    return bool(values) and all(isinstance(value, str) and _ADDRESS.match(value) for value in values)


class ListPages:
    """The pages of some lists, one after the other.

    Args:
        lists: the lists.
        known: what the lake has.
    """

    def __init__(self, lists: Sequence[UrlList], known: Known) -> None:
        self._lists = lists
        self._known = known
        self._ids = array("q")  # 8 bytes of hash for every line, to count those that came before
        self._rejected_earlier = 0
        self._labelled: dict[tuple[str, str], None] = {}

    def pages(self) -> Iterator[Page]:
        """Yield a page for every 10,000 lines.

        Rejects have the item `LIST:LINE` and one of the reasons `bad_line`, `no_address`, `not_http` (a path),
        `bad_url`, `bad_scheme`, `no_id` and `bad_sha256`.
        """
        for each in self._lists:
            lines = lines_of(each.source)
            while chunk := list(islice(lines, _LINES)):
                yield self._page(each, chunk)
        repeats = len(self._ids) - len(np.unique(np.frombuffer(self._ids, dtype=np.int64)))
        if repeats:
            self._known.details["listed more than once"] = repeats

    def _page(self, each: UrlList, chunk: Sequence[Line]) -> Page:
        page = Page()
        records: list[Row] = []
        labels: list[Row] = []
        # Rows that are written together must differ, and fewer than ROWS wait for this page to be written with them;
        # what was written before is compared by the committer.
        self._labelled = dict.fromkeys(list(self._labelled)[-ROWS:])
        for number, row in chunk:
            try:
                record = _record(each, row)
            except BadItem as bad:
                self._reject(page, f"{printable(each.source)}:{number}", bad)
                continue
            records.append(record)
            self._ids.append(hash(record["source_id"]))
            labels += self._labels(each.columns, record, row)
        page.rows["records"], repeated = self._known.split(records)
        page.rows["record_labels"] = labels
        page.present += repeated
        return page

    def _reject(self, page: Page, item: str, bad: BadItem) -> None:
        if self._known.was_rejected(item):
            page.present += 1
            self._rejected_earlier += 1
            self._known.details[_REJECTED_EARLIER] = self._rejected_earlier
        else:
            page.rejects.append((item, bad))

    def _labels(self, columns: Columns, record: Row, row: object) -> Iterator[Row]:
        """The labels of a record; those of records that the lake has, too, for it may not have the labels."""
        if columns.label is None or not isinstance(row, dict):
            return
        value = row.get(columns.label)
        for label in map(_text, value if isinstance(value, list) else [value]):
            key = str(record["source_id"]), label
            if label and key not in self._labelled:
                self._labelled[key] = None
                yield {"provider": PROVIDER, "source_id": key[0], "task": columns.task, "label": label}


def _record(each: UrlList, row: Row | BadItem) -> Row:
    if isinstance(row, BadItem):
        raise row
    columns = each.columns
    address = _address(row.get(columns.url or URL))
    sha256 = _value(row, columns.sha256).lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise BadItem("bad_sha256", f"{sha256[:80]!r} is no SHA-256 in hexadecimal")
    source_id = _value(row, columns.id) if columns.id else address
    if not source_id:
        raise BadItem("no_id", f"nothing in the column {columns.id}")
    rights, stated = _value(row, columns.rights), _value(row, columns.licence)
    licence = licence_of(stated or rights)
    return {
        "provider": PROVIDER,
        "source_id": source_id,
        "dataset": printable(PurePosixPath(each.source).name),
        "title": _value(row, columns.caption) or None,
        "rights": rights or None,
        "licence": licence.code or stated or None,
        "reusability": licence.reusability,
        "media_url": address,
        "sha256": sha256 or None,
        "query": printable(each.source),
        "raw": _json(row),
    }


def _address(value: object) -> str:
    text = _text(value)
    if not text:
        raise BadItem("no_address", "no address on this line")
    if not isinstance(value, str):
        raise BadItem("bad_url", f"{text[:80]!r} is no address")
    if _PATH.match(text):
        raise BadItem("not_http", f"{text[:200]!r} is not at an http address: bring files in with imagelake ingest")
    if "\ufffd" in text:
        raise BadItem("bad_url", "bytes in the address that are not UTF-8")
    parse_address(text)
    return text


def _value(row: Row, column: str | None) -> str:
    return "" if column is None else _text(row.get(column))


def _text(value: object) -> str:
    """A value as text that every table can hold; "" for null. Whole numbers lose the .0 that pandas gives them."""
    if isinstance(value, str):
        return (value if value.isascii() else value.encode("utf-8", "replace").decode()).replace("\0", "").strip()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(_plain(value)) if isinstance(value, bytes) else str(value)


def _plain(value: object) -> object:
    """What JSON has no type for: short binary (a hash) as hexadecimal, long binary left out, all else as text."""
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 64 else None
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat else str(value)


_strict = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def _json(row: Row) -> str:
    """A row as compact JSON, in which a number that JSON does not have (NaN) is null."""
    try:
        text = _strict.encode(row)
    except ValueError:
        text = _strict.encode(_without_nan(row))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
