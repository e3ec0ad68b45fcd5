"""Lists with any columns: CSV, TSV, text, JSON, JSON lines or Parquet in, one dictionary for each line out.

A list is read as a stream. Text is UTF-8, with or without a byte order mark; bytes that are not become U+FFFD.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import first_line, is_remote, storage_errors
from imagelake.sources.listing import local_path
from imagelake.sources.listing_s3 import open_s3
from imagelake.sources.names import UniqueNames, printable

URL = "url"  # the column of a list that has no header
_CHUNK = 1 << 20  # characters
_LARGEST_ITEM = 64 << 20  # characters of one item of a JSON list
_PARQUET_ROWS = 2_000
_READ_ERRORS = (csv.Error, pa.ArrowException, OSError, ValueError, EOFError, zlib.error)


class Line(NamedTuple):
    """One line of a list.

    Attributes:
        number: from 1: the line of a text (its first one), the item of a JSON list, the row of Parquet.
        row: values by column, or why there are none.
    """

    number: int
    row: dict[str, object] | BadItem


def lines_of(source: str) -> Iterator[Line]:
    """Yield the lines of a list.

    Text: one address on each line; blank lines and lines that start with `#` are left out. CSV and TSV: the first
    line has the names of the columns, unless it has an address itself; the columns are then `column1`, `column2`,
    ..., an only one is `url`. JSON and JSON lines: objects; a text stands for an object with the column `url`.
    Parquet: all columns but binary ones, which are pictures and no metadata. All but Parquet may be compressed (.gz).

    Args:
        source: path or `s3://` URI; its extension tells the kind.

    Raises:
        SourceError: the list is missing, of an unknown kind, or cannot be read (on).
        StorageError: the store refused.
    """
    reader = _reader(source)
    try:
        yield from reader(source)
    except FileNotFoundError as error:
        raise SourceError(f"{printable(source)}: no such file") from error
    except _READ_ERRORS as error:
        raise SourceError(f"{printable(source)}: the list cannot be read: {first_line(error)}") from error


def _reader(source: str) -> Callable[[str], Iterator[Line]]:
    readers = {
        "csv": _csv_lines,
        "json": _json_lines,
        "jsonl": _jsonl_lines,
        "ndjson": _jsonl_lines,
        "parquet": _parquet_lines,
        "tsv": _tsv_lines,
        "txt": _text_lines,
    }
    extension = source.lower().removesuffix(".gz").rpartition(".")[2]
    if extension not in readers:
        raise SourceError(
            f"{printable(source)}: not a list: its name must end in .{', .'.join(readers)}, or these + .gz"
        )
    return readers[extension]


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        if is_remote(source):
            path = source.removeprefix("s3://")
            stack.enter_context(storage_errors(source))
            remote = stack.enter_context(open_s3(path.partition("/")[0]).open_input_file(path))
            file = cast(BinaryIO, remote)
        else:
            file = stack.enter_context(Path(local_path(source)).open("rb"))
        if source.lower().endswith(".gz"):
            file = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
        yield file


@contextmanager
def _text(source: str) -> Iterator[TextIO]:
    with _opened(source) as file, io.TextIOWrapper(file, "utf-8-sig", "replace", newline="") as text:
        yield text


def _text_lines(source: str) -> Iterator[Line]:
    with _text(source) as text:
        for number, line in enumerate(text, 1):
            address = line.strip()
            if address and not address.startswith("#"):
                yield Line(number, {URL: address})


def _tsv_lines(source: str) -> Iterator[Line]:
    return _csv_lines(source, delimiter="\t")


def _csv_lines(source: str, delimiter: str = ",") -> Iterator[Line]:
    with _text(source) as text:
        rows = csv.reader(text, delimiter=delimiter)
        first = next(rows, [])
        columns, numbered = _columns(first), _numbered(rows)
        if columns is None:
            columns = [URL] if len(first) == 1 else [f"column{i}" for i in range(1, len(first) + 1)]
            numbered = chain([(1, first)], numbered)
        width = len(columns)
        for number, row in numbered:
            if len(row) > width:
                yield Line(number, BadItem("bad_line", f"{len(row)} fields in a list of {width} columns"))
            elif row:  # a blank line is no line; a short one lacks its last columns
                yield Line(number, dict(zip(columns, row, strict=False)))


def _numbered(rows: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their first line: a field between quotes may hold several."""
    number = rows.line_num + 1
    for row in rows:
        yield number, row
        number = rows.line_num + 1


def _columns(first: list[str]) -> list[str] | None:
    """The names in the first line; None where it is no header because an address is in it."""
    if any(re.match(r"\s*https?://", cell, re.IGNORECASE) for cell in first):
        return None
    unique = UniqueNames()
    return [unique(name.strip()) for name in first]


def _jsonl_lines(source: str) -> Iterator[Line]:
    with _text(source) as text:
        for number, line in enumerate(text, 1):
            if line.strip():
                try:
                    yield _line(number, json.loads(line))
                except (ValueError, RecursionError) as error:
                    yield Line(number, BadItem("bad_line", f"no JSON: {first_line(error)}"))


def _line(number: int, value: object) -> Line:
    if isinstance(value, str):
        return Line(number, {URL: value})
    if isinstance(value, dict):
        return Line(number, value)
    return Line(number, BadItem("bad_line", "neither an object nor a text"))


def _json_lines(source: str) -> Iterator[Line]:
    with _text(source) as text:
        for number, value in enumerate(_json_values(text), 1):
            yield _line(number, value)


def _json_values(text: TextIO) -> Iterator[object]:
    """The items of a JSON list, or JSON values one after another, read piece by piece.

    Raises:
        ValueError: the text breaks off, or is no JSON.
    """
    decoder = json.JSONDecoder()
    piece, items, is_end = text.read(_CHUNK).lstrip(), 0, False
    is_list = piece.startswith("[")
    at = int(is_list)
    while True:
        at = _past_separators(piece, at)
        if is_list and piece.startswith("]", at):
            return
        value, end = _decoded(decoder, piece, at)
        if end:  # objects and texts have an end of their own; nothing else is a line of a list
            yield value
            at, items = end, items + 1
        elif is_end and at == len(piece) and not is_list:
            return
        elif is_end or len(piece) - at > _LARGEST_ITEM:
            raise ValueError(f"no JSON, or cut short, behind item {items}")
        else:
            more = text.read(_CHUNK)
            piece, at, is_end = piece[at:] + more, 0, not more


def _past_separators(piece: str, at: int) -> int:
    while at < len(piece) and piece[at] in " \t\r\n,":
        at += 1
    return at


def _decoded(decoder: json.JSONDecoder, piece: str, at: int) -> tuple[object, int]:
    """The value that begins at a place, and where it ends; 0 where there is no whole one."""
    try:
        return decoder.raw_decode(piece, at)
    except (ValueError, RecursionError):
        return None, 0


def _parquet_lines(source: str) -> Iterator[Line]:
    with _opened(source) as file:
        table = pq.ParquetFile(file)
        names = [field.name for field in table.schema_arrow if not _is_binary(field.type)]
        batches = table.iter_batches(_PARQUET_ROWS, columns=names)
        rows = chain.from_iterable(_without_nanoseconds(batch).to_pylist() for batch in batches)
        yield from map(Line._make, enumerate(rows, 1))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times in microseconds, which is what Python has."""
    fields = [
        pa.field(f.name, pa.timestamp("us", f.type.tz)) if pa.types.is_timestamp(f.type) else f for f in batch.schema
    ]
    return batch if fields == list(batch.schema) else batch.cast(pa.schema(fields), safe=False)
