"""Bring in single records of Europeana by id: every file, its size and rights.

Reads: the Record API with the key in EUROPEANA_API_KEY; `web_resources`, and `records` with --from-lake.
Writes: `web_resources`; `records` for ids that the lake does not have; `failures` (http_404 and others). An id may be
written /DATASET/RECORD, as an address of Europeana, or as a file name with [ph] for the slashes.
Usage: imagelake harvest europeana-records --lake LAKE ids.csv
       imagelake harvest europeana-records --lake LAKE --from-lake
"""

import os
import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.europeana.ids import listed_ids
from imagelake.sources.europeana.records import Records
from imagelake.sources.europeana.service import API_URL, PROVIDER, RATE_PER_S, open_api
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest europeana-records`."""

    file: str | None = option(
        "list of ids (txt, csv, tsv, json, parquet); - for lines on standard input",
        None, positional=True, nargs="?", metavar="FILE",
    )  # fmt: skip
    lake: str = lake_option()
    from_lake: bool = option("all records of the lake whose files are not known yet", False)
    concurrency: int = option("requests under way at a time", 10)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    retry_failed: bool = option("try again what earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Ask for each record whose files the lake does not know."""
    if (config.file is None) != config.from_lake:
        raise UsageError("give a list of ids, or --from-lake")
    listed = listed_ids(config.file) if config.file is not None else None
    report = new_report("harvest europeana-records")
    with open_api(os.environ, config.api_url, config.rate, config.concurrency) as api:
        records = Records(api, lake, report, listed, config.retry_failed, config.concurrency)
        return harvest(config, lake, report, Source(PROVIDER, records.pages))


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest europeana-records"))
