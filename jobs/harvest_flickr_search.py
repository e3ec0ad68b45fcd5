"""Bring in photos of Flickr by free-text search, with licence and EXIF.

Reads: the API with the key in FLICKR_API_KEY; `records`, `harvest_pages` and `failures` tell what is known already.
Writes: `records` (EXIF in `raw`), `record_labels` with --label, `harvest_pages`, `failures`; `exif` and `labels` for
pictures that are in the lake. A harvest that was stopped goes on where it was. No picture is fetched.
Flickr gives the first 4,000 results of a search: more are read in windows of upload time, unless --start-page or
--page-limit ask for pages. With --limit the most relevant come first. EXIF costs one request for each photo, and Flickr
allows 3,600 requests per hour and key: --rate 1.
Usage: imagelake harvest flickr-search --lake LAKE "outdoor dog" --require-tags FocalLength,ISO --label dog
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
from imagelake.sources.flickr.lists import MAX_PER_PAGE, PageRange
from imagelake.sources.flickr.rows import DEFAULT_SIZE, SIZES
from imagelake.sources.flickr.search import SORTS, Search, search_pages
from imagelake.sources.flickr.service import API_URL, RATE_PER_S, open_flickr, required_key
from imagelake.sources.flickr.windows import seconds_of
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest flickr-search`."""

    term: str = option("what to search for in titles, descriptions and tags", positional=True)
    lake: str = lake_option()
    start_page: int = option("first page of results to read", 1)
    page_limit: int | None = option("so many pages, of the first 4,000 results", None, metavar="N")
    per_page: int = option("photos on a page", MAX_PER_PAGE)
    filter_tag: str | None = option("only photos with this tag (a,b: with both)", None, metavar="TAG")
    min_upload_date: str | None = option("uploaded then or later: date, time or seconds since 1970", None, metavar="T")
    max_upload_date: str | None = option("uploaded then or earlier", None, metavar="T")
    sort: str = option("order of the results", SORTS[0], choices=SORTS)
    limit: int | None = option("so many new records at most", None, metavar="N")
    size: str = option("size of the picture that media_url leads to; b is 1024 px", DEFAULT_SIZE, choices=tuple(SIZES))
    metadata_only: bool = option("ask for no EXIF", False)
    require_tags: tuple[str, ...] = option(f"reject photos whose EXIF lacks one: {','.join(TAGS)}", (), commas=True)
    task: str = option("labelling task of --label", "concept")
    label: str | None = option("label for every photo that is found", None)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    restart: bool = option("begin at the first page, whatever was harvested", False)
    retry_failed: bool = option("try again what earlier runs rejected, from the first page on", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Ask page by page and write while they come."""
    key = required_key()
    pages = PageRange(config.start_page, config.page_limit, config.per_page)
    dates = (seconds_of(config.min_upload_date), seconds_of(config.max_upload_date, is_end=True))
    search = Search(config.term, config.filter_tag, config.sort, pages, *dates)
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
        source = Source("flickr", partial(search_pages, flickr, search, wanted), after=(label_images, exif_of_records))
        return harvest(config, lake, new_report("harvest flickr-search"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest flickr-search"))
