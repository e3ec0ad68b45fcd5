"""List Europeana's data sets with pictures: size, aggregator, institution.

Reads: the Search API with the key in EUROPEANA_API_KEY.
Writes: `collections`, one row for each data set and run; `failures`.
Usage: imagelake harvest europeana-collections --lake LAKE --min-size 20
"""

import os
import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.europeana.data_sets import Collections
from imagelake.sources.europeana.queries import Filters
from imagelake.sources.europeana.service import API_URL, PROVIDER, RATE_PER_S, open_api
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest europeana-collections`."""

    lake: str = lake_option()
    query: str = option("only data sets with records that this finds, in Solr's language", "*")
    qf: tuple[str, ...] = option("filter for these records; may be repeated", ())
    min_size: int = option("leave out data sets with fewer such records", 1, metavar="N")
    concurrency: int = option("requests under way at a time", 10)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    retry_failed: bool = option("has no effect here: every data set is asked for", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Count by data set, then ask for one record of each."""
    filters = Filters(config.qf, media=False)
    with open_api(os.environ, config.api_url, config.rate, config.concurrency) as api:
        collections = Collections(api, config.query, filters, config.min_size, config.concurrency)
        source = Source(PROVIDER, collections.pages, main_table="collections")
        return harvest(config, lake, new_report("harvest europeana-collections"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest europeana-collections"))
