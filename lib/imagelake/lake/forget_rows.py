"""The rows of forgotten images out of the tables: files that have some are replaced, in one commit, beside others.

Rows that others append meanwhile stay; where another writer replaced the same files first, it is done again on the new
ones. So it can be stopped and repeated at any moment.
"""

import random
import time
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from imagelake.errors import CommitConflict
from imagelake.lake.commits import add_action
from imagelake.lake.forget_rules import RECORD_TABLES, gone_in, gone_records_in, id_columns, rows_of, rule_of
from imagelake.lake.fragments import Fragment, write_fragment, write_rows
from imagelake.lake.lake import Lake
from imagelake.lake.maintenance import vacuum, vacuum_blobs
from imagelake.lake.runs import Run
from imagelake.lake.session import Session
from imagelake.lake.storage import first_line
from imagelake.lake.tables import TableDef, table_def, to_table

ATTEMPTS = 30
BATCH_BYTES = 64 << 20  # of rows, as Parquet counts them uncompressed: what is held at a time


def remember(lake: Lake, run: Run, chosen: pa.Table, reason: str) -> None:
    """Write rows of `forgotten`, the first step: nothing brings back what is not yet out.

    Args:
        lake: the lake.
        run: takes the rows and the counts.
        chosen: `image_id`, `is_forgotten`; only what is not yet forgotten is written.
        reason: why.
    """
    new = [row["image_id"] for row in chosen.to_pylist() if not row["is_forgotten"]]
    run.count(read=chosen.num_rows, written=len(new), already_present=chosen.num_rows - len(new))
    if new:
        facts = {"reason": reason, "run_id": run.report.run_id, "forgotten_at": datetime.now(UTC)}
        definition = table_def("forgotten")
        rows = to_table(definition, ({"image_id": image_id, **facts} for image_id in new))
        with duckdb.connect() as con:
            run.committer.add(write_fragment(lake.storage, definition, rows, run.report.run_id, con))
        run.committer.flush()


def purge(lake: Lake, name: str, run_id: str) -> int:
    """Take the rows that name a forgotten image (`forgotten`) out of a table's newest version.

    Args:
        lake: the lake.
        name: the table.
        run_id: the run, recorded with the commit.

    Returns:
        Number of rows that went or changed.

    Raises:
        CommitConflict: others kept changing the same files; nothing is lost.
    """
    total = 0
    for attempt in range(ATTEMPTS):
        table = lake.delta(name)
        with Session(lake, tables={name: table}) as session:
            gone_in(session)
            if name in RECORD_TABLES:
                gone_records_in(session)
            count = rows_of(session, name)
            if not count:
                return total
            actions = _replacements(lake, session, name, table, run_id)
        try:
            table.create_write_transaction(
                actions,
                mode="append",
                schema=table.schema(),
                # With retries of its own it lands even where compaction has just replaced the same files: rows twice.
                commit_properties=CommitProperties(custom_metadata={"imagelake.run_id": run_id}, max_commit_retries=0),
            )
            total += count
        except (DeltaError, OSError) as error:  # if it has landed all the same, the next look finds nothing
            if attempt == ATTEMPTS - 1:
                raise CommitConflict(
                    f"table {name} kept changing: {first_line(error)}; nothing is lost, run the same command again"
                ) from error
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))  # noqa: S311 (jitter)
    raise CommitConflict(f"table {name} keeps getting rows of forgotten images: run the same command again later")


def _replacements(
    lake: Lake, session: Session, name: str, table: DeltaTable, run_id: str
) -> list[AddAction | RemoveAction]:
    """For every file with such rows: the file goes, files of the other rows come."""
    files = table.get_add_actions(flatten=True)
    actions: list[AddAction | RemoveAction] = []
    for path, size in zip(files.column("path").to_pylist(), files.column("size_bytes").to_pylist(), strict=True):
        with lake.storage.open(f"tables/{name}/{path}") as file:
            kept = _without(pq.ParquetFile(file), lake, session, name, run_id)
            if kept is not None:
                actions += [RemoveAction(path, True, int(time.time() * 1000), size), *map(add_action, kept)]
    return actions


def _without(parquet: pq.ParquetFile, lake: Lake, session: Session, name: str, run_id: str) -> list[Fragment] | None:
    """What stays of a file, written anew; None where all of it stays."""
    rule, definition = rule_of(name), table_def(name)
    looked_at = {*definition.key, *id_columns(definition)} & set(parquet.schema_arrow.names)
    session.con.register("rows", _complete(parquet.read(sorted(looked_at)), definition))
    hits = session.con.execute(f"select count(*) from rows as r where {rule.hit}").fetchall()[0][0]
    if not hits:
        return None
    total = sum(parquet.metadata.row_group(i).total_byte_size for i in range(parquet.num_row_groups))
    rows_at_a_time = max(1, min(1 << 18, BATCH_BYTES * parquet.metadata.num_rows // max(1, total)))
    written = []
    for batch in parquet.iter_batches(rows_at_a_time):
        rows = _complete(pa.Table.from_batches([batch]), definition)
        session.con.register("rows", rows)
        kept = session.con.execute(rule.kept).to_arrow_table().cast(rows.schema)
        if kept.num_rows:
            written.append(write_rows(lake.storage, definition, kept, run_id))
    return written


def _complete(rows: pa.Table, definition: TableDef) -> pa.Table:
    """The rows with nulls in the columns that the table has gained since the file was written."""
    for field in definition.schema:
        if field.name not in rows.schema.names:
            rows = rows.append_column(field.with_nullable(True), pa.nulls(rows.num_rows, field.type))
    return rows


def drop_history(lake: Lake, names: list[str]) -> tuple[int, int]:
    """Delete every file of these tables, and every shard, that the newest versions do not refer to.

    This ends time travel to the versions that need them. Nobody else may be at work.

    Returns:
        Number of files and bytes freed.
    """
    freed = [vacuum(lake, name, 0) for name in names] + [vacuum_blobs(lake, 0)]
    return sum(files for files, _ in freed), sum(size for _, size in freed)
