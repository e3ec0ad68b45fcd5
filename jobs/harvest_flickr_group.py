"""Bring in the photos of a Flickr group's pool, with licence and EXIF.

Reads: the API with the key in FLICKR_API_KEY; `records`, `harvest_pages` and `failures` tell what is known already.
Writes: `records` (EXIF in `raw`), `record_labels` with --label, `harvest_pages`, `failures`; `exif` and `labels` for
pictures that are in the lake. A harvest that was stopped goes on where it was. No picture is fetched.
EXIF costs one request for each photo, and Flickr allows 3,600 requests per hour and key: --rate 1.
Usage: imagelake harvest flickr-group --lake LAKE 44176395@N00 --filter-tag dog --label dog
       imagelake harvest flickr-group --lake LAKE https://flic.kr/g/stemc --metadata-only
"""

import sys
from dataclasses import dataclass
from functools import partial

from imagelake.command import lake_option, option, run_job
from imagelake.extract.records import exif_of_records
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.flickr.collect import Wanted
from imagelake.sources.flickr.exif import TAGS, required_tags
from imagelake.sources.flickr.group import Group, group_id, group_pages
from imagelake.sources.flickr.lists import MAX_PER_PAGE, PageRange
from imagelake.sources.flickr.rows import DEFAULT_SIZE, SIZES
from imagelake.sources.flickr.service import API_URL, RATE_PER_S, open_flickr, required_key
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest flickr-group`."""

    group: str = option("id of the group (34427465497@N01), address of its page, or flic.kr/g/ link", positional=True)
    lake: str = lake_option()
    start_page: int = option("first page of the pool to read", 1)
    page_limit: int | None = option("so many pages", None, metavar="N")
    per_page: int = option("photos on a page", MAX_PER_PAGE)
    filter_tag: str | None = option("only photos with this tag", None, metavar="TAG")
    limit: int | None = option("so many new records at most", None, metavar="N")
    size: str = option("size of the picture that media_url leads to; b is 1024 px", DEFAULT_SIZE, choices=tuple(SIZES))
    metadata_only: bool = option("ask for no EXIF", False)
    require_tags: tuple[str, ...] = option(f"reject photos whose EXIF lacks one: {','.join(TAGS)}", (), commas=True)
    task: str = option("labelling task of --label", "concept")
    label: str | None = option("label for every photo of the pool", None)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    restart: bool = option("begin at the first page, whatever was harvested", False)
    retry_failed: bool = option("try again what earlier runs rejected, from the first page on", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Ask page by page and write while they come."""
    key = required_key()
    pages = PageRange(config.start_page, config.page_limit, config.per_page)
    wanted = Wanted(
        size=config.size,
        exif=not config.metadata_only,
        required=required_tags(config.require_tags),
        task=config.task,
        label=config.label,
        limit=config.limit,
        restart=config.restart or config.retry_failed,
    )
    with open_flickr(config.api_url, key, config.rate) as flickr:
        group = Group(group_id(flickr, config.group), config.filter_tag, pages)
        source = Source("flickr", partial(group_pages, flickr, group, wanted), after=(label_images, exif_of_records))
        return harvest(config, lake, new_report("harvest flickr-group"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest flickr-group"))
