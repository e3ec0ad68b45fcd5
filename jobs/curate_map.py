"""Lay pictures out in two dimensions, alike ones near each other.

Reads: `embeddings` of one model. Writes: `projections`, the rows of the model replaced as a whole.
Usage: imagelake curate map --lake LAKE [--method tsne] [--max-points 5000] [--model MODEL] [--seed 0]
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from imagelake.command import lake_option, option, run_job
from imagelake.curate.optional import check_seed
from imagelake.curate.projection import METHODS, project
from imagelake.curate.vectors import count_vectors, load_vectors, model_rows, the_model, vector_ids
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate map`."""

    lake: str = lake_option()
    method: str = option(
        "tsne, or pca, which is faster and shows only the two largest differences", "tsne", choices=METHODS
    )
    max_points: int = option("pictures of the map; of more, a sample", 5_000)
    model: str | None = option("model_id in the lake, or how it begins", None)
    seed: int = option("the same seed gives the same map", 0)


def run(config: Config, lake: Lake) -> RunReport:
    """Project the vectors of the model, or of a sample."""
    if config.max_points < 1:
        raise UsageError("--max-points must be at least 1")
    check_seed(config.seed)
    with Session(lake) as session:
        bound(session)
        model_id = the_model(session, config.model)
        images, without = count_vectors(session, model_id)
        every = vector_ids(session, model_id)
        count = min(images, config.max_points)
        chosen = np.sort(np.random.default_rng(config.seed).choice(images, count, replace=False))
        ids, vectors = load_vectors(session, model_id, every.take(pa.array(chosen)))
    report = RunReport(new_run_id(), "curate map")
    now = datetime.now(UTC)
    with start_run(lake, report, config, lake.ensure_tables(["projections"]), main_table="projections") as started:
        places, method = project(vectors, config.method, config.seed)
        columns = {"method": pa.repeat(pa.scalar(method), len(ids)), "x": places[:, 0], "y": places[:, 1]}
        replaced = model_rows(pa.table({"image_id": ids, **columns}), model_id, report.run_id, now)
        written = replace_rows(lake, report.run_id, "projections", {"model_id": model_id}, replaced)
        started.count(read=len(ids), written=written)
    report.details["model"] = model_id
    if count < images:
        report.details["sample"] = f"{count:,} of {images:,} pictures; the others are not on the map (--max-points)"
    if without:
        report.details["left out"] = f"{without:,} pictures whose vector is all zeros"
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate map"))
