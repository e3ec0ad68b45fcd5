"""Write a data set for training: imagefolder, webdataset, parquet, huggingface, coco, yolo, csv.

Reads: `datasets`, `dataset_images`, `images` (one read each). Writes: `exports` (one row, before any picture, so that a
stopped export is known, too), then --out; `failures` (pictures that cannot be read).
Usage: imagelake dataset export NAME[@VERSION] --lake LAKE --out DIR --format imagefolder [--size 512]
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.datasets.export import FORMATS, SHARDED, plan_rows, prepared, rows_told, work_of, write_marker
from imagelake.datasets.files import WriteFiles
from imagelake.datasets.index import absent_told, write_index
from imagelake.datasets.options import reference
from imagelake.datasets.shards import WriteShards
from imagelake.datasets.versions import find, record_export
from imagelake.engine.choose import batch_rows, choose_engine
from imagelake.engine.progress import Progress
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.writer import WriteTables


@dataclass(frozen=True)
class Config:
    """Options of `imagelake dataset export`."""

    dataset: str = option("data set, its newest version unless @VERSION says which", positional=True)
    lake: str = lake_option()
    out: str = option("folder or s3:// prefix to write to: new, empty, or of the same export", "")
    format: str = option("how to write it", "", choices=FORMATS)
    size: int | None = option("make longer pictures so many pixels long (default: the original bytes)", None)
    split: tuple[str, ...] = option("only these splits, or fold0, fold1, ...", (), commas=True)
    keep_format: bool = option("leave GIF, HEIF, AVIF and JPEG 2000 as they are, which few programs read", False)
    shard_mb: int = option("megabytes of a shard (webdataset, parquet, huggingface)", 256)
    engine: str = option("where to run", "auto", choices=("auto", "local", "ray"))
    address: str | None = option("Ray cluster to join, such as auto or host:port", None)
    workers: int | None = option("CPUs to use on this machine (default: all)", None)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Plan, note the place, write the pictures, then what stands beside them, then the marker that all is there."""
    report = RunReport(new_run_id(), "dataset export")
    tables = lake.ensure_tables(("exports", "failures", "datasets", "dataset_images", "images", "sightings"))
    with Session(lake, tables=tables) as session:
        bound(session)
        version = find(session, *reference(config.dataset))
        count = plan_rows(session, version, config.split, config.shard_mb)
        export, marker = prepared(session, version, config, lake.storage, report.run_id)
        engine = choose_engine(config.engine, count, config.address, config.workers)
        report.engine = engine.name
        write_marker(export.out, marker, complete=False)
        stages = [
            (WriteShards if config.format in SHARDED else WriteFiles)(export),
            WriteTables(lake.storage, export.run_id),
        ]
        with (
            start_run(lake, report, config, tables, main_table="exports") as run,
            Progress("dataset export", count, quiet=config.quiet) as progress,
        ):
            record_export(lake, run, version, config, count)
            written = []
            work = work_of(session, config.format, batch_rows(engine, count, 256))
            for batch in engine.run(work, stages) if config.format != "csv" else ():
                run.take(batch)
                written += [batch["_written"]] if "_written" in batch else []
                progress.update(report.read, report.rejected)
            if config.format == "csv":
                run.count(read=count, written=count)
            write_index(session, export, version, written)
            report.details = {"data set": version.label, **rows_told(session, export), **absent_told(session, export)}
            write_marker(export.out, marker, complete=True, written=count - report.rejected, rejected=report.rejected)
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake dataset export"))
