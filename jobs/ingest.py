"""Bring pictures into a lake: folders, archives, S3 prefixes, lists of paths.

Reads: the sources; `sightings`, `failures` and `archives` tell what is known already.
Writes: `images` and blobs (new content), `sightings` (where it was found), `failures` (what was rejected and why),
`archives`, and `labels` with --labels-from-folders. The originals are never touched.
Usage: imagelake ingest --lake LAKE photos/ scans.zip s3://bucket/prefix list.csv
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from imagelake.command import lake_option, option, run_job
from imagelake.engine.choose import choose_engine
from imagelake.engine.progress import Progress
from imagelake.image.codecs import MAX_PIXELS
from imagelake.lake.digests import Digests
from imagelake.lake.labels import write_folder_labels
from imagelake.lake.lake import Lake
from imagelake.lake.pending import PendingFiles
from imagelake.lake.runs import Run, RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.writer import WriteTables
from imagelake.sources.batches import Listing
from imagelake.sources.reading import ReadFiles

TABLES = ("images", "sightings", "failures", "archives", "labels")


@dataclass(frozen=True)
class Config:
    """Options of `imagelake ingest`."""

    source: tuple[str, ...] = option(
        "folder, picture, archive, s3:// prefix, or list (txt, csv, tsv, parquet)", positional=True
    )
    lake: str = lake_option()
    labels_from_folders: str | None = option(
        "write the parent folder of each picture as its label for TASK", None, metavar="TASK"
    )
    in_place: bool = option("reference files where they are instead of copying their bytes into the lake", False)
    retry_failed: bool = option("try again what earlier runs rejected", False)
    max_file_bytes: int = option("reject larger pictures", 512 << 20)
    max_pixels: int = option("reject pictures of more pixels (decompression bombs)", MAX_PIXELS)
    engine: str = option("where to run", "auto", choices=("auto", "local", "ray"))
    address: str | None = option("Ray cluster to join, such as auto or host:port", None)
    workers: int | None = option("CPUs to use on this machine (default: all)", None)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """List, read what is pending, write."""
    engine = choose_engine(config.engine, None, config.address, config.workers)
    report = RunReport(new_run_id(), "ingest", engine.name)
    tables = lake.ensure_tables(TABLES)
    with Session(lake, tables=tables) as session:
        labels = config.labels_from_folders is not None
        pending = PendingFiles(session, retry_failed=config.retry_failed, remember=labels)
        known = Digests.of(session, "select image_id as text from images")
        forgotten = Digests.of(session, "select image_id as text from forgotten")
        limits = (config.max_file_bytes, config.max_pixels)
        read = ReadFiles(lake.storage, report.run_id, known, config.in_place, *limits, forgotten)
        ledger = start_run(lake, report, config, tables, main_table="sightings", repeats=("images", "sightings"))
        with ledger as run, Progress("ingest", None, quiet=config.quiet) as progress:
            for table in ("images", "sightings"):
                run.committer.preload(table, Digests.of_keys(session, table))
            work = _pending_batches(Listing(config.source, report.run_id), pending, run)
            for batch in engine.run(work, [read, WriteTables(lake.storage, report.run_id)]):
                run.take(batch)
                progress.update(report.read, report.rejected)
            if config.labels_from_folders is not None:
                run.committer.flush()
                write_folder_labels(lake, session, run, config.labels_from_folders)
    return report


def _pending_batches(listing: Listing, pending: PendingFiles, run: Run) -> Iterator[dict[str, pa.Table]]:
    """Batches of files that the lake has not read; counts the others, rejects what could not be listed."""
    for files in listing.chunks():
        todo, known = pending.split(files)
        run.count(read=known, already_present=known)
        yield from listing.batches(todo)
    yield listing.rejected(pending.known_rejects())


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake ingest"))
