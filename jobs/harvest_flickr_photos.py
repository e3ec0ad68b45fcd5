"""Bring in photos of Flickr by a file of ids, with licence and EXIF.

FILE is JSON (a list of {"id", "secret", "server"}, or a mapping from concept to such a list), CSV with a column `id`
(and `secret`, `server`, `concept`), or text: an id, the address of a photo or its page, or a flic.kr/p/ link on each
line. A concept becomes a label as it stands: "object,furniture" is one label.
Reads: the file; `records` and `failures` tell what is known already. With a key in FLICKR_API_KEY the API is asked
about each photo (two requests: licence and EXIF; Flickr allows 3,600 per hour and key: --rate 1). Without a key only
photos with secret and server (not "1234", which stands for an unknown one) become records, without licence and EXIF.
Writes: `records` (EXIF in `raw`), `record_labels`, `failures`; `exif` and `labels` for pictures that are in the lake.
No picture is fetched.
Usage: imagelake harvest flickr-photos --lake LAKE object_landscape.json --task landscape_object
"""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from imagelake.command import lake_option, option, run_job
from imagelake.extract.records import exif_of_records
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.flickr.collect import Wanted
from imagelake.sources.flickr.exif import TAGS, required_tags
from imagelake.sources.flickr.ids import read_entries
from imagelake.sources.flickr.photos import photo_pages
from imagelake.sources.flickr.rows import DEFAULT_SIZE, SIZES
from imagelake.sources.flickr.service import API_URL, RATE_PER_S, api_key, open_flickr, required_key
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest flickr-photos`."""

    file: str = option("file of photo ids", positional=True)
    lake: str = lake_option()
    limit: int | None = option("so many new records at most", None, metavar="N")
    size: str = option("size of the picture that media_url leads to; b is 1024 px", DEFAULT_SIZE, choices=tuple(SIZES))
    metadata_only: bool = option("ask for no EXIF", False)
    require_tags: tuple[str, ...] = option(f"reject photos whose EXIF lacks one: {','.join(TAGS)}", (), commas=True)
    task: str = option("labelling task of the concepts", "concept")
    label: str | None = option("a further label for every photo", None)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    retry_failed: bool = option("try again what earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Read the file, ask about what is new and write while the answers come."""
    key = api_key()
    entries, bad = read_entries(config.file)
    wanted = Wanted(
        size=config.size,
        exif=not config.metadata_only,
        required=required_tags(config.require_tags),
        task=config.task,
        label=config.label,
        limit=config.limit,
    )
    if wanted.required and key is None:
        required_key()  # without EXIF none has them
    with open_flickr(config.api_url, key, config.rate) if key else nullcontext() as flickr:
        pages = partial(photo_pages, entries, bad, wanted, flickr)
        source = Source("flickr", pages, after=(label_images, exif_of_records))
        return harvest(config, lake, new_report("harvest flickr-photos"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest flickr-photos"))
