"""Find labels that are probably wrong.

Reads: `labels` (or `consensus_labels`), `predictions` out of sample; without them `embeddings`, `groups`, `neighbours`.
Writes: `label_issues`, `label_classes` of the task and the model; the baseline's `predictions` (and `neighbours`).
Usage: imagelake curate label-issues --lake LAKE --task TASK [--predictions MODEL_ID | --baseline probe|knn]
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.curate.labels.baseline import KINDS, Baseline
from imagelake.curate.labels.given import Wanted
from imagelake.curate.labels.issues import FILTERS, judge
from imagelake.curate.labels.rows import class_rows, issue_rows
from imagelake.curate.labels.run import Choice, labels_and_scores, summary
from imagelake.curate.optional import check_seed
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import RunReport, new_run_id, start_run


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate label-issues`."""

    lake: str = lake_option()
    task: str = option("labelling task", "", metavar="TASK")
    annotator: str | None = option("judge the labels of this annotator only", None)
    consensus: bool = option("judge the labels of `curate consensus`", False)
    multilabel: bool = option("an image may have several labels of the task", False)
    skip_contradictions: bool = option("leave out images with contradicting labels", False)
    predictions: str | None = option("model_id in `predictions` (default: the only one that is there)", None)
    baseline: str | None = option("predict from embeddings, even if there are predictions", None, choices=KINDS)
    model: str | None = option("embeddings for the baseline: model_id or how it begins", None)
    folds: int = option("folds of the probe's cross-validation; classes of fewer pictures are left out", 5)
    seed: int = option("seed of the folds", 0)
    filter_by: str = option("cleanlab's rule for what is an issue", FILTERS[0], choices=FILTERS)


def run(config: Config, lake: Lake) -> RunReport:
    """Take the labels and predictions out of sample, making the predictions where there are none; judge; replace."""
    _hold(config)
    report = RunReport(new_run_id(), "curate label-issues")
    tables = lake.ensure_tables(["label_issues", "label_classes", "predictions", "neighbours"])
    wanted = Wanted(config.task, config.annotator, config.consensus, config.multilabel, config.skip_contradictions)
    baseline = Baseline(config.baseline or KINDS[0], config.model, config.folds, config.seed)
    choice = Choice(config.predictions, config.baseline is not None, baseline)
    with start_run(lake, report, config, tables, main_table="label_issues") as run:
        run_id = report.run_id
        given, scores, told = labels_and_scores(lake, run_id, wanted, choice)
        judged = judge(given, scores, config.filter_by)
        scope = {"task": config.task, "model_id": scores.model_id}
        rows = replace_rows(lake, report.run_id, "label_issues", scope, issue_rows(given, scores, judged, run_id))
        replace_rows(lake, run_id, "label_classes", scope, [class_rows(given, scores, judged, run_id)])
        run.count(read=rows, written=rows)
        report.details.update(summary(given, scores, judged) | dict(told))
    return report


def _hold(config: Config) -> None:
    check_seed(config.seed)
    if not config.task:
        raise UsageError("which labels? give --task TASK")
    if config.predictions is not None and config.baseline is not None:
        raise UsageError("give one of --predictions, --baseline")
    if config.consensus and (config.annotator is not None or config.multilabel):
        raise UsageError("--consensus goes neither with --annotator nor with --multilabel")
    if config.folds < 2:
        raise UsageError("--folds must be at least 2")


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate label-issues"))
