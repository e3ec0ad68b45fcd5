"""Fetch the pictures of records, politely: robots.txt, opt-outs, per-host limits, retries.

Reads: `records` whose address has not been fetched (`fetches` tells), or was and is to be refreshed.
Writes: `fetches` (one row per attempt), `images` and blobs, `sightings` (origin = the address), `failures`, and for
pictures whose records say so `labels` and `exif`. Robots, X-Robots-Tag and <meta> noai, noimageai, noindex and noml
are obeyed, addresses of private networks refused.
Usage: imagelake download --lake LAKE [--where "reusability = 'open'"] [--contact you@example.org]
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from imagelake.command import lake_option, option, run_job
from imagelake.engine import Batch, Stage
from imagelake.engine.choose import choose_engine
from imagelake.engine.progress import Progress
from imagelake.errors import UsageError
from imagelake.extract.records import exif_of_records
from imagelake.fetch.fetcher import Settings, user_agent
from imagelake.fetch.stream import FetchUrls
from imagelake.image.codecs import MAX_PIXELS
from imagelake.image.resize import Format, Mode, Resize
from imagelake.lake.digests import Digests
from imagelake.lake.downloads import PendingDownloads, Selection
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import Run, RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.writer import WriteTables
from imagelake.sources.storing import StoreFetched

TABLES = ("records", "record_labels", "fetches", "images", "sightings", "failures", "labels", "exif")
THUMBNAILS = "https://api.europeana.eu/thumbnail/v2/url.json?uri={uri}&type=IMAGE&size="
SHARE, SMALLEST = 100, 16  # a batch: a kill loses what was not committed, so of small work it is a small share


@dataclass(frozen=True)
class Config:
    """Options of `imagelake download`."""

    lake: str = lake_option()
    where: str | None = option("condition on `records` in SQL, such as reusability = 'open'", None, metavar="SQL")
    limit: int | None = option("fetch at most so many", None)
    sample: float = option("fetch this share of the addresses, the same ones every time (0 to 1)", 1.0)
    retry_failed: bool = option("try again what earlier runs rejected", False)
    only_reason: tuple[str, ...] = option("with --retry-failed: only these reasons", (), commas=True)
    refresh: bool = option(
        "ask again for what was fetched; unchanged pictures are not sent (ETag, Last-Modified)", False
    )
    thumbnails: str | None = option("fetch the provider's thumbnails instead", None, choices=("w200", "w400"))
    thumbnail_service: str = option("Europeana's thumbnail service; {uri} stands for the picture's address", THUMBNAILS)
    contact: str | None = option("address or page to name in the User-Agent, so that hosts can reach you", None)
    rate: float = option("requests per second to one host", 10.0)
    per_host: int = option("requests at the same time to one host", 4)
    max_rate: float | None = option("requests per second to all hosts together", None)
    connections: int = option("requests at the same time to all hosts together", 128)
    attempts: int = option("times that an address is tried", 4)
    deadline: float = option("seconds that one attempt may take, from the connection to the last byte", 60.0)
    max_file_bytes: int = option("reject larger pictures", 512 << 20)
    max_pixels: int = option("reject pictures of more pixels (decompression bombs)", MAX_PIXELS)
    robots: bool = option("do not ask for robots.txt", True)
    opt_out: bool = option("take pictures whose hosts opt out by X-Robots-Tag or <meta>", True)
    check_pages: bool = option("ask for the page of each record first, and obey its opt-out", False)
    allow_private: bool = option("allow addresses of private networks and of this machine", False)
    resize: str = option(
        "store smaller pictures", "none", choices=("none", "keep_ratio", "keep_ratio_largest", "border", "center_crop")
    )
    size: int = option("size for --resize, in pixels", 256)
    only_if_bigger: bool = option("with --resize: leave pictures alone that are not bigger", False)
    encode: str = option("with --resize: format to store", "jpeg", choices=("jpeg", "png", "webp"))
    quality: int = option("with --resize: quality, 1 to 100", 95)
    engine: str = option("where to run", "auto", choices=("auto", "local", "ray"))
    address: str | None = option("Ray cluster to join, such as auto or host:port", None)
    workers: int | None = option("CPUs to use on this machine (default: all)", None)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Find the pending addresses, fetch, store, then tell the pictures what their records say."""
    settings = _settings(config)
    report = RunReport(new_run_id(), "download")
    tables = lake.ensure_tables(TABLES)
    with Session(lake, tables=tables) as session:
        pending = PendingDownloads(session, _selection(config))
        engine = choose_engine(config.engine, None, config.address, config.workers)
        report.engine, report.rejected_earlier = engine.name, pending.rejected_earlier
        known = Digests.of(session, "select image_id as text from images")
        forgotten = Digests.of(session, "select image_id as text from forgotten")
        store = StoreFetched(lake.storage, report.run_id, known, _resize(config), config.max_pixels, forgotten)
        ledger = start_run(lake, report, config, tables, main_table="fetches", repeats=("images", "sightings"))
        with ledger as run, Progress("download", pending.count, quiet=config.quiet) as progress:
            run.count(read=pending.present, already_present=pending.present)
            for table in ("images", "sightings"):
                run.committer.preload(table, Digests.of_keys(session, table))
            items = max(SMALLEST, pending.count // SHARE)
            head = FetchUrls(settings, items)
            stages: list[Stage] = [store, WriteTables(lake.storage, report.run_id)]
            for _ in _committed(engine.stream(pending.batches(1000), head, stages), run, items):
                progress.update(report.read - pending.present, report.rejected)
            run.committer.flush()
            label_images(lake, run)
            exif_of_records(lake, run)
    if pending.without_address:
        report.details["records without an address"] = pending.without_address
    return report


def _committed(batches: Iterator[Batch], run: Run, items: int) -> Iterator[None]:
    """Take batches, and commit more often than by time alone while the whole work is small."""
    committed = 0
    for batch in batches:
        run.take(batch)
        done = run.report.read
        if done - committed >= items:
            run.committer.flush()
            committed = done
        yield


def _settings(config: Config) -> Settings:
    least = min(config.per_host, config.connections, config.attempts)
    if least < 1 or config.rate < 0 or config.deadline <= 0 or (config.max_rate or 1) < 0:
        raise UsageError("--per-host, --connections and --attempts are at least 1; rates 0 (no limit) or more")
    return Settings(
        user_agent=user_agent(config.contact),
        rate_per_s=config.rate,
        concurrency=config.per_host,
        total_rate_per_s=config.max_rate,
        total_concurrency=config.connections,
        robots=config.robots,
        opt_out=config.opt_out,
        check_pages=config.check_pages,
        allow_private=config.allow_private,
        attempts=config.attempts,
        deadline_s=config.deadline,
        max_bytes=config.max_file_bytes,
    )


def _selection(config: Config) -> Selection:
    if config.only_reason and not config.retry_failed:
        raise UsageError("--only-reason chooses among failures: give --retry-failed, too")
    if not 0 < config.sample <= 1:
        raise UsageError(f"--sample {config.sample}: give a share above 0, at most 1")
    service = config.thumbnail_service + config.thumbnails if config.thumbnails else None
    return Selection(
        config.where, service, config.sample, config.limit, config.refresh, config.retry_failed, config.only_reason
    )


def _resize(config: Config) -> Resize | None:
    if config.size < 1 or not 1 <= config.quality <= 100:
        raise UsageError(f"--size {config.size} --quality {config.quality}: give at least 1 pixel, quality 1 to 100")
    if config.resize == "none":
        return None
    return Resize(
        cast(Mode, config.resize), config.size, config.only_if_bigger, cast(Format, config.encode), config.quality
    )


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake download"))
