"""Find duplicates: equal pixels, look-alikes by hash and by embedding; nothing is deleted.

Reads: `images`, `hashes`, `embeddings` of one model, `neighbours`, `quality`, `exif`, `calibrations`.
Writes: `pairs` of each layer and `groups` anew, `neighbours` where they are old; with --calibrate `calibrations`
and nothing else. The view `quarantine` lists the pictures that a better one stands for.
Usage: imagelake dedupe --lake LAKE [--layers pixels,phash,embedding] [--calibrate]
"""

import sys
from dataclasses import dataclass

import duckdb

from imagelake.command import lake_option, option, run_job
from imagelake.curate.duplicates.calibrate import calibrate, calibration_rows, told
from imagelake.curate.duplicates.groups import group_members
from imagelake.curate.duplicates.layers import DEFAULT_BITS, LAYERS, compared, fresh_neighbours, model_named, settle
from imagelake.curate.duplicates.pictures import KEEPERS, load_pictures
from imagelake.curate.duplicates.rows import group_rows, pair_rows
from imagelake.errors import UsageError
from imagelake.extract.describing import describer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table


@dataclass(frozen=True)
class Config:
    """Options of `imagelake dedupe`."""

    lake: str = lake_option()
    layers: tuple[str, ...] = option(f"what to compare, of {','.join(LAYERS)}", LAYERS, commas=True)
    max_bits: int | None = option(f"most differing bits of 64 (default: as calibrated, or {DEFAULT_BITS})", None)
    min_similarity: float | None = option("least cosine (default: as calibrated, or by kind of model)", None)
    model: str | None = option("model_id in the lake, or how it begins (default: the only one)", None)
    keep: tuple[str, ...] = option("which of a group to keep, the first rule first", tuple(KEEPERS), commas=True)
    calibrate: bool = option("choose thresholds from copies of the lake's own pictures, and remember them", False)
    sample: int = option("with --calibrate: number of pictures to make copies of", 200)


def run(config: Config, lake: Lake) -> RunReport:
    """Compare layer by layer, group, verify, write; or calibrate."""
    report = RunReport(new_run_id(), "dedupe")
    if config.calibrate:
        return _calibrate(config, lake, report)
    tables = lake.ensure_tables(("pairs", "groups"))
    with Session(lake) as session:
        bound(session)
        settled = settle(session, config.layers, config.model, config.max_bits, config.min_similarity)
        pictures = load_pictures(session, config.keep)
    with start_run(lake, report, config, tables, main_table="groups") as run:
        report.details |= settled.told
        if settled.model_id:
            report.details["neighbours"] = fresh_neighbours(lake, report.run_id, settled.model_id)
        with Session(lake) as session:
            bound(session)
            layers = compared(session, pictures, config.layers, settled)
        for layer in layers:
            scope, rows = {"relation": layer.relation}, pair_rows(layer, pictures.image_ids, report.run_id)
            report.details[f"pairs by {layer.relation}"] = replace_rows(lake, report.run_id, "pairs", scope, rows)
            if left_out := int((layer.item < 0).sum()):
                report.details[f"not compared by {layer.relation}"] = left_out
        members = group_members(layers, len(pictures.image_ids))
        rows = group_rows(layers, members, pictures.image_ids, report.run_id)
        replace_rows(lake, report.run_id, "groups", {"relation": "duplicates"}, rows)
        report.details |= {"groups": members.groups, "in quarantine": len(members.member)}
        run.count(read=len(pictures.image_ids), written=len(pictures.image_ids))
    return report


def _calibrate(config: Config, lake: Lake, report: RunReport) -> RunReport:
    if config.sample < 2:
        raise UsageError(f"--sample {config.sample}: two pictures at least")
    with Session(lake) as session, duckdb.connect() as con:
        model_id = model_named(session, config.model)
        describe = describer(model_id)
        tables = lake.ensure_tables(("calibrations",))
        with start_run(lake, report, config, tables, main_table="calibrations") as run:
            found = calibrate(session, lake.storage, model_id, describe, config.sample)
            definition = table_def("calibrations")
            rows = to_table(definition, calibration_rows(found, model_id, report.run_id))
            run.committer.add(write_fragment(lake.storage, definition, rows, report.run_id, con))
            run.count(read=found.copies, written=found.copies)
            report.details |= told(found, model_id)
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake dedupe"))
