"""Describe every picture: hashes, EXIF, thumbnails, quality, embeddings.

Reads: `images` that lack an output (one read and one decode each).
Writes: `hashes`, `exif`, `thumbnails`, `quality`, `embeddings` (one row per image and model), `failures`.
Usage: imagelake extract --lake LAKE [--only hashes,exif,thumbnails,quality] [--embed MODEL]...
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.engine import Stage
from imagelake.engine.choose import batch_rows, choose_engine, model_device
from imagelake.engine.progress import Progress
from imagelake.errors import UsageError
from imagelake.extract import pictures, vectors
from imagelake.extract.embedding import ModelCard, ModelSpec, parse_spec
from imagelake.image.codecs import MAX_PIXELS
from imagelake.lake.lake import Lake
from imagelake.lake.pending import Output, PendingImages
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.writer import WriteTables

NAMES = ("hashes", "exif", "thumbnails", "quality")


@dataclass(frozen=True)
class Config:
    """Options of `imagelake extract`."""

    lake: str = lake_option()
    only: tuple[str, ...] = option(
        f"outputs to make, of {','.join(NAMES)}; none with an empty text", NAMES, commas=True
    )
    embed: tuple[str, ...] = option(
        "model for embeddings: descriptor, open_clip:ARCH/TAG, timm:NAME; repeatable", (), metavar="MODEL"
    )
    pixel_hash: bool = option("leave pixel_hash null, which lets JPEGs be decoded at reduced scale", True)
    digikam_compatible: bool = option("measure quality as digiKam does too: rows of method 'digikam', slowly", False)
    maker_notes: bool = option("leave the camera makers' own tags out of exif.tags", True)
    device: str | None = option("device of the models: cpu or cuda (default: the best there is)", None)
    retry_failed: bool = option("try again what earlier runs rejected", False)
    max_pixels: int = option("reject pictures of more pixels (decompression bombs)", MAX_PIXELS)
    engine: str = option("where to run", "auto", choices=("auto", "local", "ray"))
    address: str | None = option("Ray cluster to join, such as auto or host:port", None)
    workers: int | None = option("CPUs to use on this machine (default: all)", None)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Find what is pending, look at each picture once, write."""
    device = config.device or model_device(choose_engine(config.engine, None, config.address, config.workers))
    specs = [parse_spec(text) for text in dict.fromkeys(config.embed)]
    models = [(spec, vectors.card_of(spec, device)) for spec in specs]
    models.sort(key=lambda model: model[0].kind != "descriptor")  # what runs beside the decoding comes first
    outputs = _outputs(config, models)
    report = RunReport(new_run_id(), "extract")
    tables = lake.ensure_tables({"images", "failures", "sightings", *(o.table for o in outputs)})
    with Session(lake, tables=tables) as session:
        pending = PendingImages(session, "extract", pictures.VERSION, outputs, retry_failed=config.retry_failed)
        engine = choose_engine(config.engine, pending.count, config.address, config.workers)
        report.engine, report.rejected_earlier = engine.name, pending.rejected_earlier
        stages = _stages(config, lake, report.run_id, outputs, models, device)
        with (
            start_run(lake, report, config, tables, main_table=outputs[0].table) as run,
            Progress("extract", pending.count, quiet=config.quiet) as progress,
        ):
            present = pending.total - pending.count - pending.rejected_earlier
            run.count(read=present, already_present=present)
            rows = batch_rows(engine, pending.count, 64 if models else 256)
            work = ({"work": batch} for batch in pending.batches(rows))
            for batch in engine.run(work, stages):
                run.take(batch)
                progress.update(report.read - present, report.rejected)
    return report


def _outputs(config: Config, models: list[tuple[ModelSpec, ModelCard]]) -> tuple[Output, ...]:
    if unknown := sorted(set(config.only) - set(NAMES)):
        raise UsageError(f"--only {','.join(unknown)}: choose from {','.join(NAMES)}")
    hashes = pictures.HASHES_VERSION if config.pixel_hash else pictures.HASHES_WITHOUT_PIXEL_HASH
    known = {
        "hashes": Output("hashes", hashes),
        "exif": Output("exif", pictures.EXIF_VERSION, needs_pixels=False),
        "thumbnails": Output("thumbnails", pictures.THUMBNAILS_VERSION),
        "quality": pictures.QUALITY,
    }
    outputs = [known[name] for name in NAMES if name in config.only]
    outputs += [pictures.COMPATIBLE_QUALITY] if config.digikam_compatible else []
    outputs += [Output("embeddings", vectors.VERSION, ("model_id", card.model_id)) for _, card in models]
    if not outputs:
        raise UsageError("nothing to make: give --only or --embed")
    return tuple(outputs)


def _stages(
    config: Config,
    lake: Lake,
    run_id: str,
    outputs: tuple[Output, ...],
    models: list[tuple[ModelSpec, ModelCard]],
    device: str | None,
) -> list[Stage]:
    first = len(outputs) - len(models)
    cards = {first + i: card for i, (_, card) in enumerate(models)}
    look = pictures.LookAtPictures(lake.storage, run_id, outputs, cards, config.maker_notes, config.max_pixels)
    embed = [vectors.embed_stage(spec, card, device, first + i, run_id) for i, (spec, card) in enumerate(models)]
    return [look, *embed, WriteTables(lake.storage, run_id)]


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake extract"))
