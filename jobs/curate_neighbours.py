"""Find the pictures most similar to each picture, once for all that needs them.

Reads: `embeddings` of one model. Writes: `neighbours`, the rows of the model replaced as a whole; nothing where they
are of the present vectors already. Up to 100,000 pictures the answer is exact; above, the recall is measured and said.
Usage: imagelake curate neighbours --lake LAKE [-k 10] [--model MODEL] [--exact]
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.curate.shared import make_neighbours, neighbours_are_current
from imagelake.curate.vectors import count_vectors, the_model
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate neighbours`."""

    lake: str = lake_option()
    k: int = option("similar pictures per picture", 10, short="-k")
    model: str | None = option("model_id in the lake, or how it begins", None)
    exact: bool = option("compare all pairs however many, and even where the table is current", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Search, unless the table is of the present vectors."""
    if config.k < 1:
        raise UsageError("-k must be at least 1")
    with Session(lake) as session:
        bound(session)
        model_id = the_model(session, config.model)
        images, without = count_vectors(session, model_id)
        current = not config.exact and neighbours_are_current(session, model_id, config.k)
    report = RunReport(new_run_id(), "curate neighbours")
    report.details["model"] = model_id
    tables = lake.ensure_tables(["neighbours"])
    with start_run(lake, report, config, tables, main_table="neighbours") as started:
        if current:
            started.count(read=images, already_present=images)
        else:
            made = make_neighbours(lake, report.run_id, model_id, config.k, exact=config.exact)
            started.count(read=made.images, written=made.images)
            report.details["search"] = "exact" if made.recall is None else f"by lists, recall {made.recall:.3f}"
    if without:
        report.details["left out"] = f"{without:,} pictures whose vector is all zeros"
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate neighbours"))
