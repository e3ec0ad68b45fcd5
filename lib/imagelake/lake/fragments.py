"""Fragments: Parquet files that workers write into a table's folder before the driver commits them."""

import hashlib
import json
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imagelake.lake.storage import Storage
from imagelake.lake.tables import TableDef, row_keys, statistics_columns, validate


@dataclass(frozen=True)
class Fragment:
    """One Parquet file, not yet part of its table. `keys` are its rows' primary keys, as strings, in order."""

    table: str
    path: str
    size_bytes: int
    stats: str
    keys: tuple[str, ...]


def write_fragment(
    storage: Storage, definition: TableDef, rows: pa.Table, run_id: str, con: duckdb.DuckDBPyConnection
) -> Fragment:
    """Validate rows and write them as one Parquet file.

    The name follows from the run and the keys: a retried task overwrites its own file.

    Raises:
        InvalidRows: the rows break the table's definition.
    """
    return write_rows(storage, definition, validate(definition, rows, con), run_id)


def write_rows(storage: Storage, definition: TableDef, rows: pa.Table, run_id: str) -> Fragment:
    """Write rows that were validated when they came, in the table's schema, as one Parquet file."""
    keys = row_keys(rows, definition.key)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:20]
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        use_dictionary=[f.name for f in rows.schema if pa.types.is_string(f.type)] or False,
        write_statistics=[f.name for f in rows.schema if not pa.types.is_binary(f.type)],
        row_group_size=16384,
    )
    data = sink.getvalue()
    path = f"{run_id}-{digest}.parquet"
    storage.write(f"tables/{definition.name}/{path}", memoryview(data))
    return Fragment(definition.name, path, data.size, json.dumps(_statistics(rows, definition)), tuple(keys))


def _statistics(rows: pa.Table, definition: TableDef) -> dict[str, object]:
    """Delta statistics of the columns that queries skip files by."""
    low, high, nulls = {}, {}, {}
    for name in statistics_columns(definition):
        bounds = pc.min_max(rows[name]).as_py()
        if bounds["min"] is not None:
            low[name], high[name] = bounds["min"], bounds["max"]
        nulls[name] = rows[name].null_count
    return {"numRecords": rows.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}
