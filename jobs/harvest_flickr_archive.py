"""Bring in archives of the Flickr crawler: `<super>/<sub>/{images,exif}`.

Reads: the names `{id}_{secret}_{server}_{size}.jpg` below `images`, the replies `{id}.json` below `exif`; `records`
tells what is known already.
Writes: `records`, `record_labels` (the names of the two folders; a comma separates labels); `exif` and `labels` for
pictures that are in the lake. The pictures come by `imagelake ingest` of the same path, before or after.
Usage: imagelake ingest --lake LAKE indoor_outdoor.zip
       imagelake harvest flickr-archive --lake LAKE indoor_outdoor.zip
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.extract.records import exif_of_records
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.flickr.archive import Tasks, archive_pages
from imagelake.sources.harvesting import Known, Page, Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest flickr-archive`."""

    path: str = option("folder or archive, written as for `imagelake ingest`", positional=True)
    lake: str = lake_option()
    super_task: str = option("labelling task of the upper folders' names; empty for none", "super", metavar="TASK")
    sub_task: str = option("labelling task of the lower folders' names; empty for none", "sub", metavar="TASK")
    retry_failed: bool = option("try again what earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """List the images, read the EXIF of the new ones, write."""
    tasks = Tasks(config.super_task, config.sub_task)

    def pages(known: Known) -> Iterator[Page]:
        return archive_pages(config.path, known, tasks)

    source = Source("flickr", pages, after=(label_images, exif_of_records))
    return harvest(config, lake, new_report("harvest flickr-archive"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest flickr-archive"))
