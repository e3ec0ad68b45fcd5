"""Group pictures by what they look like.

Reads: `embeddings` of one model. Writes: `clusters`, the rows of the model replaced as a whole.
Usage: imagelake curate clusters --lake LAKE [--clusters N] [--model MODEL] [--seed 0]
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from imagelake.command import lake_option, option, run_job
from imagelake.curate.clusters import clusters_of, usual_number
from imagelake.curate.optional import check_seed
from imagelake.curate.vectors import count_vectors, load_vectors, model_rows, the_model
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate clusters`."""

    lake: str = lake_option()
    clusters: int | None = option("how many (default: the square root of half the pictures, at most 1,000)", None)
    model: str | None = option("model_id in the lake, or how it begins", None)
    seed: int = option("the same seed gives the same clusters", 0)


def run(config: Config, lake: Lake) -> RunReport:
    """Cluster all vectors of the model."""
    check_seed(config.seed)
    with Session(lake) as session:
        bound(session)
        model_id = the_model(session, config.model)
        images, without = count_vectors(session, model_id)
        count = usual_number(images) if config.clusters is None else config.clusters
        if not 1 <= count <= images:
            raise UsageError(f"--clusters must be 1 to {images}, the number of pictures with a vector")
        ids, vectors = load_vectors(session, model_id)
    report = RunReport(new_run_id(), "curate clusters")
    now = datetime.now(UTC)
    with start_run(lake, report, config, lake.ensure_tables(["clusters"]), main_table="clusters") as started:
        numbers, cosines = clusters_of(vectors, count, config.seed)
        rows = pa.table({"image_id": ids, "cluster": pa.array(numbers, pa.int32()), "similarity": cosines})
        replaced = model_rows(rows, model_id, report.run_id, now)
        written = replace_rows(lake, report.run_id, "clusters", {"model_id": model_id}, replaced)
        started.count(read=len(ids), written=written)
    sizes = np.bincount(numbers)
    report.details |= {"model": model_id, "clusters": len(sizes), "largest": int(sizes[0]), "smallest": int(sizes[-1])}
    if without:
        report.details["left out"] = f"{without:,} pictures whose vector is all zeros"
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate clusters"))
