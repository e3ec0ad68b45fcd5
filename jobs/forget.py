"""Take pictures out for good: rows, bytes, thumbnails; lists the exports that have them.

Reads: every table that names images. Writes: `forgotten` (ingest and download refuse these from now on); the tables
without the rows, also in their earlier versions; zeros over the bytes in the shards. Originals that were ingested
--in-place and exports are not ours: they are listed. Stopped at any moment, the same command finishes what is left.
Usage: imagelake forget --lake LAKE (--image-id ID | --sql "select image_id from ...") --reason "consent withdrawn"
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.errors import UsageError
from imagelake.lake import forget_choice as choice
from imagelake.lake.forget_bytes import erase
from imagelake.lake.forget_rows import drop_history, purge, remember
from imagelake.lake.forget_rules import LAST, gone_in, tables_in_order
from imagelake.lake.lake import Lake
from imagelake.lake.results import open_output, write_result
from imagelake.lake.runs import Run, RunReport, new_run_id, start_run
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Config:
    """Options of `imagelake forget`."""

    lake: str = lake_option()
    image_id: tuple[str, ...] = option("picture to take out, all 64 characters; may be given again", (), metavar="ID")
    sql: str | None = option("the pictures that a query gives in its column image_id", None, metavar="SQL")
    reason: str = option("why, in the words of who asked for it", "", metavar="TEXT")
    records: bool = option("take out what providers say of the pictures, too (records, labels, files)", False)
    places: str | None = option("write every place where copies are elsewhere to this CSV first", None, metavar="FILE")
    dry_run: bool = option("say what would be taken out, change nothing", False)
    alone: bool = option("no other run is at work: those that did not end were killed", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Choose, list copies elsewhere, remember, then make every table and shard true to it."""
    if (config.sql is None) == (not config.image_id):
        raise UsageError("say which pictures: --image-id or --sql")
    if not (config.reason.strip() or config.dry_run):
        raise UsageError("say why: --reason TEXT; it is kept with the ids")
    report = RunReport(new_run_id(), "forget")
    with Session(lake) as session:
        chosen = choice.with_derived(session, choice.choose(session, config.image_id, config.sql))
        if not chosen.num_rows and not choice.is_unfinished(session):
            raise UsageError("--sql chooses no picture of the lake: nothing to forget")
        gone_in(session, chosen)
        report.details |= choice.elsewhere(session)
        if config.places is not None:
            with open_output(config.places, "csv", "--places") as out:
                write_result(session.execute(choice.PLACES).to_arrow_reader(), "csv", out)
        if config.dry_run:
            report.job, report.status = "forget --dry-run", "succeeded"
            report.details["pictures that would be taken out"] = chosen.num_rows
            report.details |= choice.planned(session, records=config.records)
            return report
    if not config.alone:
        choice.require_alone(lake, report.run_id, job="forget")
    tables = lake.ensure_tables(["forgotten"])
    with start_run(lake, report, config, tables, main_table="forgotten") as run:
        remember(lake, run, chosen, config.reason)
        _take_out(lake, run, config)
    return report


def _take_out(lake: Lake, run: Run, config: Config) -> None:
    """Rows, bytes, then the rows that say where the bytes were, then the history."""
    names, details = tables_in_order(records=config.records), run.report.details
    for name in names:
        if name == LAST[0]:
            with Session(lake) as session:
                gone_in(session)
                details["pictures overwritten"], details["bytes overwritten"] = erase(lake, session)
        if rows := purge(lake, name, run.report.run_id):
            details[f"rows of {name}"] = rows
    if not config.alone:
        choice.require_alone(lake, run.report.run_id)
    details["old files removed"], details["bytes freed"] = drop_history(lake, names)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake forget"))
