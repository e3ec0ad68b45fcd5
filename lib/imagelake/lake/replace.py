"""Results over a whole lake (neighbours, groups, label issues): the rows of one scope replaced in one commit.

In: batches of rows that all belong to the scope, such as one model of `neighbours`. A reader sees either the old rows
or the new ones; a killed run leaves the old ones. Tables written so are never appended to.
"""

from collections.abc import Iterable, Iterator, Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from imagelake.errors import CommitConflict, StorageError
from imagelake.lake.lake import DELTA_OPTIONS, Lake
from imagelake.lake.storage import first_line
from imagelake.lake.tables import InvalidRows, TableDef, table_def, validate


def replace_rows(lake: Lake, run_id: str, name: str, scope: Mapping[str, str], batches: Iterable[pa.Table]) -> int:
    """Put these rows in the place of all rows of the scope.

    Args:
        lake: the lake.
        run_id: the run, recorded with the commit.
        name: the table.
        scope: values of text columns that all rows have, old and new ones; empty for the whole table.
        batches: the rows, columns in any order; keys must be unique over all batches. Memory holds one at a time.

    Returns:
        Number of rows written.

    Raises:
        InvalidRows: a row breaks the table's definition; nothing is changed.
        CommitConflict: another run replaced the same rows meanwhile.
        StorageError: the storage refused.
    """
    definition, table = table_def(name), lake.ensure_tables([name])[name]
    counted = _Counted()
    with duckdb.connect() as con:
        reader = pa.RecordBatchReader.from_batches(definition.schema, counted.batches(definition, batches, scope, con))
        try:
            _write(table, reader, scope, run_id)
        except CommitFailedError as error:
            raise CommitConflict(f"table {name} was changed by another run: run this again") from error
        except (DeltaError, OSError) as error:
            if counted.error is not None:  # ours, wrapped on its way through the writer
                raise counted.error from None
            raise StorageError(f"table {name}: {first_line(error)}") from error
    return counted.rows


def _write(table: DeltaTable, reader: pa.RecordBatchReader, scope: Mapping[str, str], run_id: str) -> None:
    predicate = " and ".join(f"{column} = '{value.replace(chr(39), chr(39) * 2)}'" for column, value in scope.items())
    write_deltalake(
        table,
        reader,
        mode="overwrite",
        predicate=predicate or None,
        writer_properties=WriterProperties(compression="ZSTD"),
        commit_properties=CommitProperties(custom_metadata={"imagelake.run_id": run_id}),
        storage_options=DELTA_OPTIONS,
    )


def _require_scope(definition: TableDef, rows: pa.Table, scope: Mapping[str, str]) -> None:
    for column, value in scope.items():
        if rows.num_rows and pc.unique(rows[column]).to_pylist() != [value]:
            raise InvalidRows(f"{definition.name}: rows with another {column} than {value!r}")


class _Counted:
    """Validates batches on their way and remembers what went wrong."""

    def __init__(self) -> None:
        self.rows = 0
        self.error: Exception | None = None

    def batches(
        self,
        definition: TableDef,
        batches: Iterable[pa.Table],
        scope: Mapping[str, str],
        con: duckdb.DuckDBPyConnection,
    ) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                rows = validate(definition, batch, con)
                _require_scope(definition, rows, scope)
                self.rows += rows.num_rows
                yield from rows.to_batches()
        except Exception as error:
            self.error = error
            raise
