"""Lists of paths and URIs: text, CSV, TSV or Parquet in, one `FileItem` for each line that names a file out.

A list is read as a stream; relative paths are relative to the folder of the list.
"""

import csv
import io
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import first_line, is_remote, storage_errors
from imagelake.sources.listing import FileItem, local_item, local_path
from imagelake.sources.listing_s3 import open_s3, s3_info, s3_item
from imagelake.sources.names import printable
from imagelake.sources.rejects import Reject, reason_of

PATH_COLUMNS = ("path", "uri", "file", "filename", "image", "image_path", "file_path")
_WINDOW_LINES = 256  # objects of a store are asked for together
_PARQUET_ROWS = 8192


def list_of_paths(source: str, reject: Reject) -> Iterator[FileItem]:
    """Yield the files that a list names, in its order.

    Text: one path on each line; blank lines and lines that start with `#` are left out. CSV, TSV and Parquet: the
    column named `path`, `uri`, `file`, `filename`, `image`, `image_path` or `file_path` (the first of these that
    there is, in any case), else the only column. A CSV with one column needs no header: a first line with a dot
    or a slash in it is a path.

    Args:
        source: path or `s3://` URI of the list.
        reject: called for every line that names no file: `missing`, `unreadable`, `not_a_file`, `not_local` (http
            and other URLs), `empty_path`.

    Raises:
        SourceError: the list has no such column or cannot be read. Raised at once for a bad header.
    """
    paths = _guarded(source, _reader(source)(source))
    first = list(islice(paths, _WINDOW_LINES))
    return _Resolver(source, reject).files(first, paths)


def _guarded(source: str, paths: Iterator[str]) -> Iterator[str]:
    try:
        yield from paths
    except (csv.Error, pa.ArrowException, OSError, UnicodeError) as error:
        raise SourceError(f"{printable(source)}: the list cannot be read: {first_line(error)}") from error


def _reader(source: str) -> Callable[[str], Iterator[str]]:
    extension = source.lower().rpartition(".")[2]
    return {"txt": _text_paths, "csv": _csv_paths, "tsv": _tsv_paths, "parquet": _parquet_paths}[extension]


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if is_remote(source):
        path = source.removeprefix("s3://")
        with storage_errors(source), open_s3(path.partition("/")[0]).open_input_file(path) as remote:
            yield cast(BinaryIO, remote)
    else:
        with Path(local_path(source)).open("rb") as local:
            yield local


def _text_paths(source: str) -> Iterator[str]:
    with _opened(source) as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape") as text:
        for line in text:
            path = line.strip()
            if path and not path.startswith("#"):
                yield path


def _tsv_paths(source: str) -> Iterator[str]:
    return _csv_paths(source, delimiter="\t")


def _csv_paths(source: str, delimiter: str = ",") -> Iterator[str]:
    with (
        _opened(source) as file,
        io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text,
    ):
        rows = csv.reader(text, delimiter=delimiter)
        header = next(rows, [])
        if len(header) == 1 and any(mark in header[0] for mark in "./"):
            yield header[0]
            column = 0
        else:
            column = _path_column(source, header)
        for row in rows:
            if row:  # a blank line is no row
                yield row[column].strip() if column < len(row) else ""


def _parquet_paths(source: str) -> Iterator[str]:
    with _opened(source) as file:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        name = names[_path_column(source, names)]
        if not _is_text(table.schema_arrow.field(name).type):
            raise SourceError(f"{printable(source)}: column {name} does not hold text")
        for batch in table.iter_batches(_PARQUET_ROWS, columns=[name]):
            yield from (value or "" for value in batch.column(0).to_pylist())


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _path_column(source: str, columns: Sequence[str]) -> int:
    lowered = [column.strip().lower() for column in columns]
    for name in PATH_COLUMNS:
        if name in lowered:
            return lowered.index(name)
    if len(columns) == 1:
        return 0
    wanted = ", ".join(PATH_COLUMNS)
    raise SourceError(
        f"{printable(source)}: no column of paths; it has {', '.join(columns) or 'no columns'}, and one must be"
        f" named {wanted}"
    )


class _Resolver:
    """Finds the files that lines name."""

    def __init__(self, source: str, reject: Reject) -> None:
        self._folder = posixpath.dirname(local_path(source))
        self._reject = reject
        self._buckets: dict[str, fs.FileSystem] = {}

    def files(self, first: list[str], rest: Iterator[str]) -> Iterator[FileItem]:
        window = first
        while window:
            yield from self._window([posixpath.join(self._folder, p) if _is_relative(p) else p for p in window])
            window = list(islice(rest, _WINDOW_LINES))

    def _window(self, origins: list[str]) -> Iterator[FileItem]:
        objects = self._objects([origin for origin in origins if is_remote(origin)])
        for origin in origins:
            found = next(objects) if is_remote(origin) else self._local(origin)
            if isinstance(found, FileItem):
                yield found
            else:
                self._reject(printable(origin), found)

    def _local(self, origin: str) -> FileItem | BadItem:
        if not origin:
            return BadItem("empty_path", "the list has a row without a path")
        if _scheme(origin) not in {"", "file"}:
            return BadItem("not_local", "not a path or s3:// URI; lists of URLs are for the harvest and download jobs")
        path = local_path(origin)
        try:
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            return BadItem(reason_of(error), f"cannot be read: {getattr(error, 'strerror', None) or error}")
        if not stat.S_ISREG(status.st_mode):
            return BadItem("not_a_file", "lists name files; give a folder as a source of its own")
        return local_item(origin, str(Path(path).absolute()), status)

    def _objects(self, origins: list[str]) -> Iterator[FileItem | BadItem]:
        """What these URIs name, in their order; one request for each, in parallel within a bucket."""
        paths = [origin.removeprefix("s3://").rstrip("/") for origin in origins]
        buckets = [path.partition("/")[0] for path in paths]
        infos: dict[str, fs.FileInfo] = {}
        for bucket in dict.fromkeys(buckets):
            if bucket not in self._buckets:
                self._buckets[bucket] = open_s3(bucket)
            asked = [path for path, owner in zip(paths, buckets, strict=True) if owner == bucket]
            infos |= {info.path: info for info in s3_info(self._buckets[bucket], asked)}
        for origin, path in zip(origins, paths, strict=True):
            info = infos[path]
            if info.type == fs.FileType.File:
                yield s3_item(origin, info)
            elif info.type == fs.FileType.Directory:
                yield BadItem("not_a_file", "lists name files; give a prefix as a source of its own")
            else:
                yield BadItem("missing", "no such object")


def _scheme(path: str) -> str:
    scheme, mark, _ = path.partition("://")
    return scheme.lower() if mark and scheme.isalnum() else ""


def _is_relative(path: str) -> bool:
    return bool(path) and not path.startswith("/") and not _scheme(path)
