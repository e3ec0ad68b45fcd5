"""Settle what several annotators say of the same pictures.

Reads: `labels` of the task, `predictions` out of sample where there are some.
Writes: `consensus_labels`, `annotators` of the task.
Usage: imagelake curate consensus --lake LAKE --task TASK [--predictions MODEL_ID | --majority]
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imagelake.command import lake_option, option, run_job
from imagelake.curate.labels.consensus import Settled, Votes, settle, votes_of
from imagelake.curate.labels.consensus_rows import annotator_rows, consensus_rows
from imagelake.curate.labels.scores import Scores, chosen_predictions, stored_scores
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate consensus`."""

    lake: str = lake_option()
    task: str = option("labelling task", "", metavar="TASK")
    predictions: str | None = option("model_id in `predictions` (default: the only one that is there)", None)
    majority: bool = option("a majority vote, even if there are predictions", False)
    skip_contradictions: bool = option("leave out images that one annotator gave several labels", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Take what the annotators say now, settle it, replace the task's rows."""
    if not config.task:
        raise UsageError("which labels? give --task TASK")
    if config.majority and config.predictions is not None:
        raise UsageError("give one of --predictions, --majority")
    report = RunReport(new_run_id(), "curate consensus")
    tables = lake.ensure_tables(["consensus_labels", "annotators"])
    scope = {"task": config.task}
    with start_run(lake, report, config, tables, main_table="consensus_labels") as run:
        votes, scores, left_out = _votes_and_scores(lake, config)
        settled = settle(votes, scores)
        rows = consensus_rows(votes, settled, scores.model_id if scores else None, report.run_id)
        written = replace_rows(lake, report.run_id, "consensus_labels", scope, rows)
        replace_rows(lake, report.run_id, "annotators", scope, [annotator_rows(votes, settled, report.run_id)])
        run.count(read=written, written=written)
        report.details.update(_summary(votes, settled, scores) | dict(left_out))
    return report


def _votes_and_scores(lake: Lake, config: Config) -> tuple[Votes, Scores | None, Mapping[str, int]]:
    with Session(lake) as session:
        bound(session)
        votes = votes_of(session, config.task, skip_contradictions=config.skip_contradictions)
        left_out = {"images with contradicting labels, left out": votes.contradicted}
        scores, images = None, len(votes.said)
        if not config.majority:
            model_id = chosen_predictions(session, config.task, config.predictions, with_baselines=True)
            if model_id is not None:
                given, scores = stored_scores(session, votes.given(), model_id, are_votes=True)
                votes = votes.like(given)
        left_out["without an out-of-sample prediction (settle them with --majority)"] = images - len(votes.said)
    return votes, scores, {key: value for key, value in left_out.items() if value}


def _summary(votes: Votes, settled: Settled, scores: Scores | None) -> dict[str, object]:
    shared = (~np.isnan(votes.said)).sum(axis=1) > 1
    order = np.argsort(settled.trust, kind="stable")[:5]  # NaN last
    least = [f"{votes.annotators[i]} {settled.trust[i]:.2f}" for i in order if not np.isnan(settled.trust[i])]
    return {
        "method": f"CROWDLAB with {scores.model_id}" if scores else "majority vote",
        "annotators": len(votes.annotators),
        "images of several annotators": f"{int(shared.sum()):,} of {len(shared):,}",
        "their agreement": f"{settled.agreement[shared].mean():.1%}",
        "least quality": ", ".join(least),
    }


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate consensus"))
