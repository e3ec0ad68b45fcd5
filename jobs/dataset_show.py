"""List the data sets, or show one.

Reads: `datasets`, `dataset_images`. Writes: nothing.
Usage: imagelake dataset show --lake LAKE [NAME[@VERSION]] [--format csv]
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.datasets.options import reference
from imagelake.datasets.show import GROUPS, LIST, counts_statement, described
from imagelake.datasets.versions import find
from imagelake.lake.lake import Lake
from imagelake.lake.results import FORMATS, open_output, write_result
from imagelake.lake.session import Session

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake dataset show`."""

    dataset: str = option("data set, its newest version unless @VERSION says which", "", positional=True, nargs="?")
    lake: str = lake_option()
    format: str = option("table, or the table of counts alone as csv, json or parquet", "table", choices=FORMATS)
    output: str | None = option("file to write to (default: standard output)", None)


def run(config: Config, lake: Lake) -> None:
    """Write the list, or what was asked for and how many images each class has in each split."""
    with Session(lake) as session, open_output(config.output, config.format) as out:
        if not config.dataset:
            write_result(session.execute(LIST).to_arrow_reader(), config.format, out)
            return
        version = find(session, *reference(config.dataset))
        if config.format == "table":
            out.write(described(version, session.execute(GROUPS, version.key).fetchall()[0]).encode())
        counts = session.execute(counts_statement(version), version.key)
        write_result(counts.to_arrow_reader(), config.format, out)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake dataset show"))
