"""Lists of Europeana's records: files of any common kind in, ids `/DATASET/RECORD` out."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import first_line
from imagelake.sources.europeana.service import is_address, texts

COLUMNS = ("europeana_id", "source_id", "id", "uri", "path", "url")
# /D/L at the end, behind whatever address or folder, with or without the first slash and an extension
_ID = re.compile(r"(?:^|/)([\w-]+)/([\w-]+?)(?:\.(?:json|html|jpe?g|png|webp|tiff?|gif))?/?$", re.ASCII | re.IGNORECASE)


def record_id(text: str) -> str:
    """The id `/D/L` in an id, an address of Europeana, or the name of a file with `[ph]` for the slashes.

    Raises:
        BadItem: `bad_id`.
    """
    path = re.split("[?#]", unquote(text).strip(), maxsplit=1)[0]
    if "[ph]" in path:
        path = path.rpartition("/")[2].replace("[ph]", "/")
    found = _ID.search(path)
    if not found or (not _is_europeanas(path) and is_address(path)):
        raise BadItem("bad_id", "no id of Europeana: wanted is /DATASET/RECORD")
    return f"/{found[1]}/{found[2]}"


def _is_europeanas(address: str) -> bool:
    return re.match(r"https?://([\w-]+\.)*europeana\.eu/", address, re.IGNORECASE) is not None


def listed_ids(path: str) -> Iterator[str]:
    """What a list names, as it is written there.

    Text: one on each line; CSV, TSV, Parquet and JSON objects: the column `europeana_id`, `source_id`, `id`, `uri`,
    `path` or `url` (the first of these that there is), else the only one.

    Args:
        path: the list; `-` for lines on standard input.

    Raises:
        SourceError: it cannot be read or has no such column.
    """
    readers = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet, ".json": _json}
    try:
        if path == "-":
            yield from _lines(sys.stdin)
        else:
            yield from readers.get(Path(path).suffix.lower(), _text)(path)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise SourceError(f"{path}: the list cannot be read: {first_line(error)}") from error


def _lines(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _text(path: str) -> Iterator[str]:
    with Path(path).open(encoding="utf-8-sig") as file:
        yield from _lines(file)


def _csv(path: str) -> Iterator[str]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter="\t" if path.lower().endswith(".tsv") else ",")
        column = _column(path, list(table.fieldnames or []))
        yield from (text for row in table if (text := (row[column] or "").strip()))


def _parquet(path: str) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        column = _column(path, file.schema_arrow.names)
        for batch in file.iter_batches(columns=[column]):
            yield from texts(batch.column(0).to_pylist())


def _json(path: str) -> Iterator[str]:
    found: Any = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    for row in found if isinstance(found, list) else [found]:
        yield from texts(row[_column(path, list(row))] if isinstance(row, dict) else row)


def _column(path: str, columns: list[str]) -> str:
    found = next((name for name in COLUMNS if name in columns), columns[0] if len(columns) == 1 else None)
    if found is None:
        raise SourceError(f"{path}: no column of ids; one must be named {', '.join(COLUMNS)}")
    return found
