"""Upkeep of a lake: fewer and larger files, checkpoints, and leftovers removed.

Nothing here changes a row, and everything may run beside other jobs. Compaction does not take a number in the queue
of commits (`lake.commits`): it appends no rows, so a run that commits meanwhile loses nothing, and the keys that it
finds in the new file are those that it knew or would drop all the same.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from imagelake.errors import CommitConflict, StorageError, UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.storage import first_line

TARGET_BYTES = 128 << 20
ATTEMPTS = 5
# Rows per row group: what a reader of few rows has to read, and what the writer holds in memory. About 10 MB each.
_GROUP_ROWS = {"thumbnails": 1_024, "embeddings": 4_096}
_USUAL_GROUP_ROWS = 65_536
# A shorter retention could take the files of a run that has written, but not yet committed.
SAFE_HOURS = 24


@dataclass
class Upkeep:
    """What was done to one table; `files` and `bytes` are those of its newest version."""

    table: str
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    removed_files: int = 0
    freed_bytes: int = 0


def compact(lake: Lake, name: str) -> Upkeep:
    """Join the small files of a table; its earlier versions stay until `vacuum`.

    Raises:
        CommitConflict: others kept changing the same files.
        StorageError: the storage refused.
    """
    writer = WriterProperties(compression="ZSTD", max_row_group_size=_GROUP_ROWS.get(name, _USUAL_GROUP_ROWS))
    mark = CommitProperties(custom_metadata={"imagelake.job": "maintain"})

    def join(table: DeltaTable) -> None:
        table.optimize.compact(
            target_size=TARGET_BYTES, max_concurrent_tasks=1, writer_properties=writer, commit_properties=mark
        )

    table = lake.delta(name)
    work = Upkeep(name)
    work.files_before, work.bytes_before = _size(table)
    table = _tried(lake, name, join)
    work.files_after, work.bytes_after = _size(table)
    return work


def checkpoint(lake: Lake, name: str) -> None:
    """Write the state of a table into one file, so that opening it does not read every commit.

    Raises:
        StorageError: the storage refused.
    """
    _tried(lake, name, lambda table: table.create_checkpoint())


def vacuum(lake: Lake, name: str, hours: int) -> tuple[int, int]:
    """Delete files that the newest version does not refer to and that are older than `hours`.

    These are what compaction has replaced, which ends time travel to the versions that need them, and what killed
    runs have written and never committed.

    Returns:
        Number of files and bytes freed.
    """
    sizes = {path: size for path, size, _ in lake.storage.list(f"tables/{name}")}
    removed: list[str] = []

    def sweep(table: DeltaTable) -> None:
        removed[:] = table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)

    _tried(lake, name, sweep)
    there = [size for path in removed if (size := sizes.get(f"tables/{name}/{path}")) is not None]  # not gone before
    return len(there), sum(there)


def vacuum_blobs(lake: Lake, hours: int) -> tuple[int, int]:
    """Delete shards that no image refers to and that are older than `hours`: those of killed runs.

    Returns:
        Number of files and bytes freed.
    """
    limit = time.time() - hours * 3600
    old = {path: size for path, size, changed in lake.storage.list("blobs") if changed < limit}
    if not old:
        return 0, 0
    with Session(lake) as session:  # opened after the listing, so it knows every commit of the shards listed
        for batch in session.batches("select distinct uri from images where starts_with(uri, 'blobs/')"):
            for uri in batch.column(0).to_pylist():
                old.pop(uri, None)
    for path in old:
        lake.storage.delete(path)
    return len(old), sum(old.values())


def require_safe(lake: Lake, hours: int) -> None:
    """Refuse a short retention while a run may be at work.

    Raises:
        UsageError: negative, or shorter than a day and a run that began within a day has not ended.
    """
    if hours < 0:
        raise UsageError("--retention-hours must not be negative")
    if hours >= SAFE_HOURS:
        return
    since = datetime.now(UTC) - timedelta(hours=SAFE_HOURS)
    with Session(lake) as session:
        rows = session.execute(
            "select run_id from latest_runs where status = 'running' and started_at > $since order by run_id",
            {"since": since},
        ).fetchall()
    if rows:
        raise UsageError(
            f"run {rows[0][0]} is at work, or was killed: --retention-hours {hours} could delete what it has not"
            f" committed yet; give {SAFE_HOURS} or more"
        )


def _size(table: DeltaTable) -> tuple[int, int]:
    sizes = table.get_add_actions(flatten=True).column("size_bytes").to_pylist()
    return len(sizes), sum(sizes)


def _tried(lake: Lake, name: str, work: Callable[[DeltaTable], None]) -> DeltaTable:
    """Do the work on a fresh snapshot, again where another writer came first."""
    for attempt in range(ATTEMPTS):
        table = lake.delta(name)
        try:
            work(table)
        except CommitFailedError as error:
            if attempt == ATTEMPTS - 1:
                raise CommitConflict(
                    f"table {name} kept changing: {first_line(error)}; nothing is lost, run maintain again"
                ) from error
        except (DeltaError, OSError) as error:
            raise StorageError(f"table {name}: {first_line(error)}") from error
        else:
            break
    return lake.delta(name)
