"""Results of queries as text or files: Arrow batches in; table, CSV, JSON or Parquet out, batch by batch.

Times are ISO 8601 in UTC. Nested values are JSON. Bytes are base64 in CSV and JSON, and only counted in a table.
"""

import base64
import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from imagelake.errors import QueryError, UsageError

FORMATS = ("table", "csv", "json", "parquet")
TABLE_ROWS = 1_000
CELL_WIDTH = 72  # an image_id has 64 characters


@contextmanager
def open_output(path: str | None, kind: str, option: str = "--output") -> Iterator[BinaryIO]:
    """Standard output, or a file that is there only when it is complete.

    Args:
        path: the file; None for standard output.
        kind: one of FORMATS.
        option: the option that names the file, for messages.

    Raises:
        UsageError: the file cannot be written, or Parquet would go to a terminal.
    """
    if path is None:
        if kind == "parquet" and sys.stdout.isatty():
            raise UsageError(f"Parquet is no text for a terminal: give {option} FILE")
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    part = Path(f"{path}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def write_result(rows: pa.RecordBatchReader, kind: str, out: BinaryIO) -> int:
    """Write rows in one of FORMATS; memory holds one batch (for a table, the rows shown).

    Args:
        rows: the result.
        kind: one of FORMATS.
        out: takes bytes; text is UTF-8.

    Returns:
        The number of rows.

    Raises:
        QueryError: a value cannot be computed.
    """
    writers = {"table": _write_table, "csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
    schema = rows.schema if kind == "table" else _distinct(rows.schema)
    count = writers[kind](schema, _read(rows), out)
    out.flush()
    return count


def _distinct(schema: pa.Schema) -> pa.Schema:
    """Names that occur once: what a join has twice would be lost to readers of JSON, and unreadable as Parquet."""
    names: list[str] = []
    for name in schema.names:
        number = 0
        unique = name
        while unique in names:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
    return pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])


def _read(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what goes wrong while the query runs on is an error of the query."""
    while True:
        try:
            batch = rows.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            raise QueryError(str(error)) from error
        yield batch


def _write_csv(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: BinaryIO) -> int:
    from pyarrow import csv  # noqa: PLC0415 (slow to import, seldom needed)

    # as text: of Python lists Arrow makes arrays only after importing pandas, a second of CPU time
    out.write((",".join('"' + name.replace('"', '""') + '"' for name in schema.names) + "\n").encode(errors="replace"))
    count = 0
    for batch in batches:
        columns = [_csv_column(batch.column(i), field.type) for i, field in enumerate(schema)]
        out.write(_csv_bytes(csv, pa.table(columns, [str(i) for i in range(len(columns))])))
        count += batch.num_rows
    return count


def _csv_bytes(csv: Any, table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
    return memoryview(sink.getvalue())


def _csv_column(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if _is_plain(kind) or pa.types.is_floating(kind):
        return column
    convert = _converter(kind)
    return pa.array([None if v is None else _text(convert(v)) for v in column.to_pylist()], pa.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_json(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: BinaryIO) -> int:
    """One array of objects, one object per line."""
    names = [json.dumps(name, ensure_ascii=False) for name in schema.names]
    count = 0
    out.write(b"[")
    for batch in batches:
        for cells in zip(*(_json_column(batch.column(i), f.type) for i, f in enumerate(schema)), strict=True):
            members = ", ".join(f"{name}: {cell}" for name, cell in zip(names, cells, strict=True))
            out.write((",\n" if count else "\n").encode() + f"{{{members}}}".encode(errors="replace"))
            count += 1
    out.write(b"\n]\n" if count else b"]\n")
    return count


def _json_column(column: pa.Array, kind: pa.DataType) -> list[str]:
    values = column.to_pylist()
    convert = _converter(kind)
    return ["null" if v is None else json.dumps(convert(v), ensure_ascii=False) for v in values]


def _write_parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: BinaryIO) -> int:
    from pyarrow import parquet as pq  # noqa: PLC0415 (slow to import, seldom needed)

    fields = [f.with_type(pa.timestamp(f.type.unit, "UTC")) if _has_zone(f.type) else f for f in schema]
    schema = pa.schema(fields)
    count = 0
    try:
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch.rename_columns(schema.names).cast(schema))
                count += batch.num_rows
    except pa.ArrowNotImplementedError as error:
        raise QueryError(
            f"a column cannot be stored as Parquet ({error}): cast it, or take another --format"
        ) from error
    return count


def _write_table(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: BinaryIO) -> int:
    """The first rows aligned, then how many there are; long cells are cut, and that is said."""
    columns: list[list[str]] = [[] for _ in schema]
    count = 0
    for batch in batches:
        shown = batch.slice(0, max(0, TABLE_ROWS - count))
        for i, field in enumerate(schema):
            columns[i] += _table_column(shown.column(i), field.type)
        count += batch.num_rows
    out.write(_aligned(schema, columns).encode(errors="replace"))
    lines = [f"({count:,} row{'' if count == 1 else 's'})"]
    if count > TABLE_ROWS:
        lines[0] = f"({TABLE_ROWS:,} of {count:,} rows; --format csv or json gives all)"
    if any(cell.endswith("…") for column in columns for cell in column):
        lines.append(f"(cells of more than {CELL_WIDTH} characters are cut at …; --format csv or json gives all)")
    out.write(("\n".join(lines) + "\n").encode())
    return count


def text_table(rows: pa.Table) -> str:
    """Rows aligned as `--format table` shows them, without the count."""
    columns = [
        [cell for chunk in column.chunks for cell in _table_column(chunk, column.type)] for column in rows.columns
    ]
    return _aligned(rows.schema, columns)


def _table_column(column: pa.Array, kind: pa.DataType) -> list[str]:
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return ["null" if v is None else f"<{len(v):,} bytes>" for v in column.to_pylist()]
    convert = _converter(kind)
    return ["null" if v is None else _cut(_text(convert(v))) for v in column.to_pylist()]


def _cut(text: str) -> str:
    """One line without control characters: a file name must not move the cursor."""
    if len(text) > CELL_WIDTH:
        text = text[: CELL_WIDTH - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _aligned(schema: pa.Schema, columns: list[list[str]]) -> str:
    names = [_cut(name) for name in schema.names]
    widths = [max(map(_width, [name, *cells])) for name, cells in zip(names, columns, strict=True)]
    right = [_is_number(field.type) for field in schema]
    lines = [names, ["-" * width for width in widths], *map(list, zip(*columns, strict=True))]
    return "".join(_line(cells, widths, right) for cells in lines)


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = []
    for cell, width, is_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if is_right else cell + space)
    return "  ".join(padded).rstrip() + "\n"


def _width(text: str) -> int:
    """Columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_null(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _has_zone(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _converter(kind: pa.DataType) -> Callable[[Any], Any]:
    """From a Python value of an Arrow type to what JSON can hold. Numbers that are not finite become null."""
    if pa.types.is_map(kind):
        key, item = _converter(kind.key_type), _converter(kind.item_type)
        return lambda pairs: {_text(key(k)): None if v is None else item(v) for k, v in pairs}
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: _converter(kind.field(i).type) for i in range(kind.num_fields)}
        return lambda row: {name: None if row[name] is None else make(row[name]) for name, make in fields.items()}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        element = _converter(kind.value_type)
        return lambda values: [None if v is None else element(v) for v in values]
    return _scalar


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat().replace("+00:00", "Z")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, int | str) else str(value)
