"""Commits: fragments into Delta tables while a job runs, so that no row is lost and none is there twice.

Every commit of a table carries the same application id with the next number. delta-rs refuses a commit when
another one with that id has landed since the snapshot, so a table's commits form one queue: the loser reloads,
drops the rows whose keys the winner wrote, and tries again. A commit whose answer was lost is recognised by its
token in the history.
"""

import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from imagelake.errors import CommitConflict
from imagelake.lake.digests import Digests
from imagelake.lake.fragments import Fragment, write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.storage import first_line
from imagelake.lake.tables import row_keys, table_def

FLUSH_SECONDS = 5.0
FLUSH_FRAGMENTS = 64
ATTEMPTS = 30
# A reader, and a run after a kill, must never find a reference without its target: images before sightings, the
# pictures of an archive before the note that it was read to its end, records before the page they were on, the images
# of a data set before it.
COMMIT_ORDER = {
    "images": 0,
    "record_labels": 2,
    "sightings": 2,
    "web_resources": 2,
    "failures": 3,
    "fetches": 4,
    "archives": 4,
    "datasets": 4,
    "harvest_pages": 4,
    "runs": 5,
}


class Committer:
    """Collects fragments and commits them every few seconds.

    Args:
        lake: the lake.
        run_id: the run, recorded with every commit.
        tables: the tables at the versions that the run's pending work was computed from; rows that others
            commit later are found by comparing files with these.
        repeats: tables in which two batches of this run may hold the same key (ingest: the same bytes twice).
    """

    def __init__(
        self, lake: Lake, run_id: str, tables: Mapping[str, DeltaTable], repeats: tuple[str, ...] = ()
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._lake = lake
        self._run_id = run_id
        self._tables = dict(tables)
        self._known = {name: _paths(table) for name, table in tables.items()}
        self._foreign: dict[str, Digests] = {}
        self._seen = {name: Digests() for name in repeats}
        self._waiting: dict[str, list[Fragment]] = defaultdict(list)
        self._flushed_at = time.monotonic()

    def add(self, *fragments: Fragment) -> None:
        """Take the fragments of one batch, which are committed together in the order of `COMMIT_ORDER`.

        Commits when enough have come or enough time has passed.
        """
        for fragment in fragments:
            self._waiting[fragment.table].append(fragment)
        full = sum(len(f) for f in self._waiting.values()) >= FLUSH_FRAGMENTS
        if full or time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.flush()

    def preload(self, table: str, keys: Digests) -> None:
        """Keys that the table has: rows of this run that repeat them are dropped."""
        self._seen[table] = keys

    def flush(self) -> None:
        """Commit everything that was added.

        Raises:
            CommitConflict: others kept winning the race; nothing committed is lost.
        """
        for name in sorted(self._waiting, key=lambda n: (COMMIT_ORDER.get(n, 1), n)):
            fragments = [f for f in map(self._without_repeats, self._waiting.pop(name)) if f is not None]
            if fragments:
                self._commit(name, fragments)
        self._flushed_at = time.monotonic()

    def versions(self) -> dict[str, int]:
        """Delta version of every table as last seen."""
        for table in self._tables.values():
            table.update_incremental()
        return {name: table.version() for name, table in self._tables.items()}

    def _commit(self, name: str, fragments: list[Fragment]) -> None:
        table = self._tables[name]
        token = uuid.uuid4().hex
        for attempt in range(ATTEMPTS):
            table.update_incremental()
            fragments = self._without_foreign(name, fragments)
            if not fragments:
                return
            base = table.version()
            try:
                append_fragments(table, name, fragments, self._run_id, token)
            except (DeltaError, OSError) as error:
                if not has_landed(table, base, token):
                    back_off(attempt, name, error)
                    continue
            self._known[name].update(f.path for f in fragments)
            return

    def _without_repeats(self, fragment: Fragment) -> Fragment | None:
        """Drop rows whose keys this run has committed already."""
        seen = self._seen.get(fragment.table)
        if seen is None:
            return fragment
        kept = self._rewritten(fragment, seen.known(fragment.keys))
        if kept is not None:
            seen.add(kept.keys)
        return kept

    def _without_foreign(self, name: str, fragments: list[Fragment]) -> list[Fragment]:
        """Drop rows whose keys others have committed since the run began."""
        new = _paths(self._tables[name]) - self._known[name]
        if new and name not in self._foreign:
            self._foreign[name] = Digests()
        for path in sorted(new):
            self._foreign[name].add(self._keys_of(name, path))
        self._known[name] |= new
        if name not in self._foreign:
            return fragments
        kept = (self._rewritten(f, self._foreign[name].known(f.keys)) for f in fragments)
        return [f for f in kept if f is not None]

    def _keys_of(self, name: str, path: str) -> list[str]:
        key = table_def(name).key
        with self._lake.storage.open(f"tables/{name}/{path}") as file:
            return row_keys(pq.read_table(file, columns=list(key)), key)

    def _rewritten(self, fragment: Fragment, unwanted: set[str]) -> Fragment | None:
        """The fragment without unwanted rows; None when none is left."""
        if not unwanted:
            return fragment
        relative = f"tables/{fragment.table}/{fragment.path}"
        self.dropped[fragment.table] += sum(key in unwanted for key in fragment.keys)
        wanted = [key not in unwanted for key in fragment.keys]
        kept = None
        if any(wanted):
            with self._lake.storage.open(relative) as file:
                rows = pq.read_table(file).filter(wanted)
            with duckdb.connect() as con:
                kept = write_fragment(self._lake.storage, table_def(fragment.table), rows, self._run_id, con)
        self._lake.storage.delete(relative)
        return kept


def _paths(table: DeltaTable) -> set[str]:
    return set(table.get_add_actions(flatten=True).column("path").to_pylist())


def append_fragments(table: DeltaTable, name: str, fragments: Sequence[Fragment], run_id: str, token: str) -> None:
    """Commit fragments behind the table's snapshot, once.

    Args:
        table: the table at the snapshot that the rows were made for.
        name: its name.
        fragments: files of rows that lie in its folder already.
        run_id: the run, recorded with the commit.
        token: what `has_landed` knows the commit by.

    Raises:
        DeltaError: another commit has landed since the snapshot, or the answer was lost.
        OSError: the storage refused.
    """
    fence = f"imagelake/{name}"
    number = (table.transaction_version(fence) or 0) + 1
    table.create_write_transaction(
        [add_action(f) for f in fragments],
        mode="append",
        schema=table.schema(),
        commit_properties=CommitProperties(
            custom_metadata={"imagelake.run_id": run_id, "imagelake.token": token},
            app_transactions=[Transaction(fence, number)],
            max_commit_retries=0,
        ),
    )


def add_action(fragment: Fragment) -> AddAction:
    """The action of the Delta log that makes a fragment part of its table."""
    return AddAction(
        path=fragment.path,
        size=fragment.size_bytes,
        partition_values={},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=fragment.stats,
    )


def has_landed(table: DeltaTable, base: int, token: str) -> bool:
    """Whether a commit whose answer was an error is in the log after version `base` after all."""
    table.update_incremental()
    newer = table.version() - base
    return newer > 0 and any(e.get("imagelake.token") == token for e in table.history(newer))


def back_off(attempt: int, name: str, error: Exception) -> None:
    """Wait before the next of `ATTEMPTS` tries.

    Raises:
        CommitConflict: that was the last one.
    """
    if attempt == ATTEMPTS - 1:
        raise CommitConflict(
            f"table {name} could not be committed after {ATTEMPTS} tries: {first_line(error)};"
            " run the same command again, it continues where it stopped"
        ) from error
    time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))  # noqa: S311 (jitter)
