"""Bring in MIRFLICKR: EXIF, tags and annotations from its folder or archives.

Reads: the files; `records` tells what is known already.
Writes: `records`, `record_labels` (task mirflickr: images that may show a concept, from `<concept>.txt`; task
mirflickr_relevant: images in which it is prominent, from `<concept>_r1.txt`); `exif` and `labels` for pictures that are
in the lake. The pictures come by `imagelake ingest` of the same path, before or after.
Images by their set of labels, of sets with at least 100: imagelake sql "with sets as (select image_id,
list(distinct label order by label) as labels from current_labels where task = 'mirflickr' group by image_id)
select * from sets qualify count(*) over (partition by labels) >= 100"
Usage: imagelake harvest mirflickr --lake LAKE mirflickr/
"""

import sys
from dataclasses import dataclass
from functools import partial

from imagelake.command import lake_option, option, run_job
from imagelake.extract.records import exif_of_records
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.harvesting import Source, harvest, new_report
from imagelake.sources.mirflickr import PROVIDER, mirflickr_pages


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest mirflickr`."""

    path: str = option("folder or archive, written as for `imagelake ingest`", positional=True)
    lake: str = lake_option()
    retry_failed: bool = option("try again what earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Read the collection, write."""
    source = Source(PROVIDER, partial(mirflickr_pages, config.path), after=(label_images, exif_of_records))
    return harvest(config, lake, new_report("harvest mirflickr"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest mirflickr"))
