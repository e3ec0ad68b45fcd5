"""A harvest: pages of records in, committed rows out; one that was stopped goes on behind its last page."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa

from imagelake.engine.progress import Progress
from imagelake.errors import BadItem
from imagelake.lake.digests import Digests
from imagelake.lake.lake import Lake
from imagelake.lake.runs import Run, RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table
from imagelake.lake.writer import WriteTables

Row = dict[str, object]
TABLES = ("records", "record_labels", "web_resources", "collections", "harvest_pages", "failures", "labels", "exif")
ROWS = 4096  # rows collected before they are written
SECONDS = 5.0  # and the longest time that they are kept


@dataclass
class Page:
    """What one request, or one stretch of a list, gave.

    Every item of the page is in one of `rows` (new), `present` (the lake has it) or `rejects`.

    Args:
        rows: rows by table, without harvested_at and run_id.
        rejects: what cannot be a record, by item, with the reason.
        present: number of items that the lake has already (`Known.split`).
        written: number of new items; None for the number of rows in `records`.
        query: what was asked, as JSON without key and place; None where a harvest cannot be continued by place.
        number: number of the page within the query, from 1.
        cursor: where the page begins; None for the first.
        next_cursor: where the next page begins; None on the last.
        total: number of results of the query, as the provider says.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    rejects: list[tuple[str, BadItem]] = field(default_factory=list)
    present: int = 0
    written: int | None = None
    query: str | None = None
    number: int = 1
    cursor: str | None = None
    next_cursor: str | None = None
    total: int | None = None


@dataclass(frozen=True)
class Position:
    """Where a query goes on: behind page `number`, at `cursor`, with `new_records` found so far."""

    number: int
    cursor: str
    new_records: int


class Known:
    """What the lake has of a provider, kept up to date while the harvest runs.

    Args:
        session: a session over the tables as the committer knows them.
        provider: the provider.
        job: failures of this job are not tried again...
        retry_failed: ...unless this is true.
        details: lines for the report of the run; a source adds its own.
    """

    def __init__(
        self, session: Session, provider: str, job: str, details: dict[str, object], *, retry_failed: bool
    ) -> None:
        self.details = details
        self._session = session
        self._provider = provider
        self._ids = Digests.of(session, _KNOWN_IDS, {"provider": provider})
        self._rejected = Digests() if retry_failed else Digests.of(session, _REJECTED, {"job": job})

    def split(self, rows: Sequence[Row]) -> tuple[list[Row], int]:
        """The rows of `records` that are new to the lake and to this run, and the number of the others."""
        first = {str(row["source_id"]): row for row in reversed(rows)}  # of two with one id the first counts
        new = self.new_ids(list(first))
        self._ids.add(new)
        kept = [row for row in rows if row["source_id"] in new and first[str(row["source_id"])] is row]
        return kept, len(rows) - len(kept)

    def new_ids(self, source_ids: Sequence[str]) -> set[str]:
        """Those of the ids that are not in the lake."""
        return self._ids.unseen(source_ids)

    def was_rejected(self, item: str) -> bool:
        """Whether an earlier run rejected the item and this one is not to try again."""
        return item in self._rejected

    def position(self, query: str) -> Position | None:
        """Where an unfinished harvest of the query goes on; None where it begins."""
        found = self._session.execute(_POSITION, {"provider": self._provider, "query": query}).fetchall()
        return Position(*found[0]) if found else None


_KNOWN_IDS = "select source_id as text from records where provider = $provider"
_REJECTED = "select item as text from failures where job = $job"
# The pages since the query was last read to its end are one harvest, whatever runs they come from.
_POSITION = """
with pages as (
  select *, row_number() over (order by harvested_at desc, page desc) as age
  from harvest_pages
  where provider = $provider and query = $query
),
unfinished as (
  select *
  from pages
  where age < coalesce((select min(age) from pages where next_cursor is null), 1::bigint << 60)
)
select max_by(page, -age), max_by(next_cursor, -age), sum(new_records)::bigint
from unfinished
having count(*) > 0
"""


class HarvestConfig(Protocol):
    """What every harvest's Config has."""

    @property
    def retry_failed(self) -> bool:
        """Try again what earlier runs rejected."""

    @property
    def quiet(self) -> bool:
        """Show no progress."""


@dataclass(frozen=True)
class Source:
    """Where a harvest's pages come from.

    Args:
        provider: `records.provider`.
        pages: makes the pages, given what the lake has.
        main_table: the table whose rows are the job's items.
        after: what is to be done when all is committed, such as labels for pictures that are in the lake already.
    """

    provider: str
    pages: Callable[[Known], Iterable[Page]]
    main_table: str = "records"
    after: Sequence[Callable[[Lake, Run], None]] = ()


def harvest(config: HarvestConfig, lake: Lake, report: RunReport, source: Source) -> RunReport:
    """Harvest every page and commit while they come; what came before an error is kept.

    Args:
        config: the job's options, a dataclass, recorded with the run.
        lake: the lake.
        report: a new report with the job's name; filled in and returned.
        source: where the pages come from.
    """
    tables = lake.ensure_tables(TABLES)
    with Session(lake, tables=tables) as session:
        known = Known(session, source.provider, report.job, report.details, retry_failed=config.retry_failed)
        repeats = ("record_labels", "web_resources")
        ledger = start_run(lake, report, config, tables, main_table=source.main_table, repeats=repeats)
        with ledger as run, Progress(report.job, None, quiet=config.quiet) as progress:
            for table in repeats:
                run.committer.preload(table, Digests.of_keys(session, table))
            writer = _PageWriter(lake, run, source.provider)
            try:
                for page in source.pages(known):
                    writer.add(page)
                    progress.update(report.read, report.rejected)
            finally:
                writer.flush()
            run.committer.flush()
            for step in source.after:
                step(lake, run)
    return report


def new_report(job: str) -> RunReport:
    """A report for a harvest, which runs in this process: one server with one key is asked at its own pace."""
    return RunReport(new_run_id(), job, "local")


class _PageWriter:
    """Collects pages and writes them together; a page's place is written with its rows, never before them."""

    def __init__(self, lake: Lake, run: Run, provider: str) -> None:
        self._run = run
        self._provider = provider
        self._write = WriteTables(lake.storage, run.report.run_id).open()
        self._rows: dict[str, list[Row]] = {}
        self._flushed_at = time.monotonic()

    def add(self, page: Page) -> None:
        now = datetime.now(UTC)
        stamp = {"harvested_at": now, "run_id": self._run.report.run_id}
        for table, rows in page.rows.items():
            self._rows.setdefault(table, []).extend({**row, **stamp} for row in rows)
        written = len(page.rows.get("records", ())) if page.written is None else page.written
        self._reject(page.rejects, now)
        items = written + page.present + len(page.rejects)
        if page.query is not None:
            place = {"page": page.number, "cursor": page.cursor, "next_cursor": page.next_cursor, "total": page.total}
            row = {"provider": self._provider, "query": page.query, "items": items, "new_records": written}
            self._rows.setdefault("harvest_pages", []).append({**row, **place, **stamp})
        self._run.count(read=items, written=written, already_present=page.present, rejected=len(page.rejects))
        full = sum(map(len, self._rows.values())) >= ROWS
        if full or time.monotonic() - self._flushed_at > SECONDS:
            self.flush()

    def _reject(self, rejects: Iterable[tuple[str, BadItem]], now: datetime) -> None:
        about = {"run_id": self._run.report.run_id, "job": self._run.report.job, "stage": "harvest", "version": 0}
        for item, bad in rejects:
            row = {**about, "item": item, "reason": bad.reason, "message": bad.message, "failed_at": now}
            self._rows.setdefault("failures", []).append(row)

    def flush(self) -> None:
        self._flushed_at = time.monotonic()
        rows, self._rows = self._rows, {}
        for batch in self._write({name: _table(name, found) for name, found in rows.items()}):
            self._run.take(batch)


def _table(name: str, rows: list[Row]) -> pa.Table:
    """The rows without those that say the same thing twice: two pages may give one label, or one rejected item."""
    definition = table_def(name)
    return to_table(
        definition, list({tuple(row[key] for key in definition.key): row for row in reversed(rows)}.values())
    )
