"""The ledger of runs: one row when a run starts, one when it ends, and the counts that must add up."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from imagelake import __version__
from imagelake.errors import Interrupted
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.tables import table_def, to_table
from imagelake.lake.writer import fragments_of

COUNTS = pa.schema([(n, pa.int64()) for n in ("read", "written", "already_present", "rejected")])


@dataclass
class RunReport:
    """What a run did. `read = written + already_present + rejected`."""

    run_id: str
    job: str
    engine: str = "none"
    status: str = "running"
    read: int = 0
    written: int = 0
    already_present: int = 0
    rejected: int = 0
    rejected_earlier: int = 0
    seconds: float = 0.0
    details: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as one line."""
        return json.dumps(asdict(self), default=str)


def counts_table(read: int = 0, written: int = 0, already_present: int = 0, rejected: int = 0) -> pa.Table:
    """One row of counts, to be sent down a pipeline as `_counts`."""
    row = {"read": read, "written": written, "already_present": already_present, "rejected": rejected}
    return pa.Table.from_pylist([row], COUNTS)


def new_run_id() -> str:
    """UTC time to the second, then six random characters: sorts by time, unique."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass
class Run:
    """A run at work: takes what the pipeline gives and commits it."""

    report: RunReport
    committer: Committer

    def take(self, batch: Mapping[str, pa.Table]) -> None:
        """Queue a batch's fragments for commit and add its counts."""
        self.committer.add(*fragments_of(dict(batch)))
        if "_counts" in batch:
            for row in batch["_counts"].to_pylist():
                self.count(**row)

    def count(self, read: int = 0, written: int = 0, already_present: int = 0, rejected: int = 0) -> None:
        """Add to the counts."""
        self.report.read += read
        self.report.written += written
        self.report.already_present += already_present
        self.report.rejected += rejected


@contextmanager
def start_run(
    lake: Lake,
    report: RunReport,
    config: object,
    tables: Mapping[str, DeltaTable],
    *,
    main_table: str,
    repeats: tuple[str, ...] = (),
) -> Iterator[Run]:
    """Record the start, commit as the job goes, record the end; after Ctrl-C what was finished is committed.

    Args:
        lake: the lake.
        report: the job's name and run_id; its counts are filled in.
        config: the job's options, a dataclass, recorded as JSON.
        tables: the tables that the job writes, opened where its pending work was computed.
        main_table: rows of this table that another writer committed first count as already present.
        repeats: see `Committer`.

    Raises:
        Interrupted: on Ctrl-C, after the commit.
    """
    started = datetime.now(UTC)
    committer = Committer(lake, report.run_id, {**tables, **lake.ensure_tables(["runs"])}, repeats)
    ledger = _Ledger(lake, committer, config, started)
    ledger.write(report, finished=None)
    run = Run(report, committer)
    try:
        yield run
        report.status = "succeeded"
    except KeyboardInterrupt as error:
        report.status = "interrupted"
        raise Interrupted(
            f"stopped; what was finished is committed, run the same {report.job} again to continue"
        ) from error
    except BaseException:  # recorded, and raised again
        report.status = "failed"
        raise
    finally:
        committer.flush()
        dropped = committer.dropped[main_table]
        run.count(written=-dropped, already_present=dropped)
        ledger.write(report, finished=datetime.now(UTC))
    assert report.read == report.written + report.already_present + report.rejected, report  # noqa: S101


@dataclass(frozen=True)
class _Ledger:
    lake: Lake
    committer: Committer
    config: object
    started: datetime

    def write(self, report: RunReport, finished: datetime | None) -> None:
        if finished is not None:
            report.seconds = round((finished - self.started).total_seconds(), 3)
        row = {
            "run_id": report.run_id,
            "job": report.job,
            "status": report.status,
            "config": json.dumps(asdict(self.config), default=str),  # type: ignore[call-overload]
            "code_version": __version__,
            "engine": report.engine,
            "started_at": self.started,
            "finished_at": finished,
            **{name: getattr(report, name) for name in COUNTS.names},
            "table_versions": list(self.committer.versions().items()),
        }
        definition = table_def("runs")
        with duckdb.connect() as con:
            rows = to_table(definition, [row])
            self.committer.add(write_fragment(self.lake.storage, definition, rows, report.run_id, con))
        self.committer.flush()
