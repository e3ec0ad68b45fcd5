"""Compare two versions of a data set.

Reads: `datasets`, `dataset_images`. Writes: nothing.
Usage: imagelake dataset diff --lake LAKE NAME@1 NAME@2 [--format csv]
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.datasets.options import reference
from imagelake.datasets.show import DIFF, DIFF_COUNTS
from imagelake.datasets.versions import find
from imagelake.lake.lake import Lake
from imagelake.lake.results import FORMATS, open_output, write_result
from imagelake.lake.session import Session

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake dataset diff`."""

    before: str = option("data set, with @VERSION", positional=True)
    after: str = option("the one to compare it with", positional=True)
    lake: str = lake_option()
    format: str = option("table for counts; csv, json or parquet for every image", "table", choices=FORMATS)
    output: str | None = option("file to write to (default: standard output)", None)


def run(config: Config, lake: Lake) -> None:
    """Count what was added, removed, relabelled and moved between splits, or list it."""
    with Session(lake) as session, open_output(config.output, config.format) as out:
        before, after = (find(session, *reference(text)) for text in (config.before, config.after))
        bound = {
            "name_before": before.row["dataset"],
            "before": before.row["dataset_version"],
            "name_after": after.row["dataset"],
            "after": after.row["dataset_version"],
        }
        statement = DIFF_COUNTS if config.format == "table" else f"{DIFF} order by image_id, change"
        write_result(session.execute(statement, bound).to_arrow_reader(), config.format, out)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake dataset diff"))
