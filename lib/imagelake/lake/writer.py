"""The last stage of a pipeline: rows of many tables in, committed-to-be fragments out."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import duckdb
import pyarrow as pa

from imagelake.lake.fragments import Fragment, write_fragment
from imagelake.lake.storage import Storage
from imagelake.lake.tables import table_def

FRAGMENTS = pa.schema(
    [
        ("table", pa.string()),
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("stats", pa.string()),
        ("keys", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class WriteTables:
    """Writes every table of a batch as a fragment; names that begin with `_` are passed on."""

    storage: Storage
    run_id: str
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[dict[str, pa.Table]], Iterator[dict[str, pa.Table]]]:
        """The step; its DuckDB connection evaluates the checks."""
        con = duckdb.connect(config={"threads": "1"})
        con.execute("pragma disable_optimizer")  # it takes longer than looking at a few hundred rows

        def write(batch: dict[str, pa.Table]) -> Iterator[dict[str, pa.Table]]:
            written = [
                write_fragment(self.storage, table_def(name), rows, self.run_id, con)
                for name, rows in batch.items()
                if not name.startswith("_") and rows.num_rows
            ]
            passed = {name: rows for name, rows in batch.items() if name.startswith("_")}
            yield {"_fragments": pa.Table.from_pylist([asdict(f) for f in written], FRAGMENTS), **passed}

        return write


def fragments_of(batch: dict[str, pa.Table]) -> Iterator[Fragment]:
    """The fragments that `WriteTables` reports."""
    for row in batch["_fragments"].to_pylist():
        yield Fragment(**{**row, "keys": tuple(row["keys"])})
