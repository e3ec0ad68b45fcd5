"""What the tests of `download` share: records in a lake, a run of the job, its tables."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import duckdb

from imagelake.jobs import download
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def put(lake: Lake, table: str, rows: Iterable[dict[str, object]]) -> None:
    """Write rows as a harvest would."""
    report = RunReport(new_run_id(), "harvest urls")
    stamped = [{"harvested_at": NOW, "run_id": report.run_id, **row} for row in rows]
    config = download.Config(lake=lake.root)
    with (
        start_run(lake, report, config, lake.ensure_tables([table]), main_table=table) as run,
        duckdb.connect() as con,
    ):
        definition = table_def(table)
        fragment = write_fragment(lake.storage, definition, to_table(definition, stamped), report.run_id, con)
        run.committer.add(fragment)


def put_urls(lake: Lake, urls: Iterable[str], **columns: object) -> None:
    """One record for each address."""
    put(
        lake,
        "records",
        [{"provider": "urls", "source_id": url, "media_url": url, "raw": "{}", **columns} for url in urls],
    )


def run_download(lake: Lake, **options: Any) -> RunReport:
    """The job, quick where hosts are on this machine."""
    quick = {"allow_private": True, "quiet": True, "rate": 500.0, "engine": "local"}
    return download.run(download.Config(lake=lake.root, **{**quick, **options}), lake)


def outcomes(lake: Lake) -> dict[str, str]:
    """The last outcome of each address, or the reason of its failure."""
    sql = "select url, coalesce(reason, outcome) as what from latest_fetches"
    with Session(lake) as session:
        return {row["url"]: row["what"] for row in session.arrow(sql).to_pylist()}


def rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    with Session(lake) as session:
        found: list[dict[str, Any]] = session.arrow(sql).to_pylist()
        return found
