"""What `curate label-issues` judges: labels and their out-of-sample probabilities; and what it tells of the result."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from imagelake.curate.labels.baseline import Baseline, baseline_scores
from imagelake.curate.labels.given import Given, Wanted, given_labels, hold_task
from imagelake.curate.labels.issues import Judged
from imagelake.curate.labels.scores import Scores, chosen_predictions, classes_of, in_sample_models, stored_scores
from imagelake.lake.labels import newer_labels
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.session import Session

_NAMED = 5


@dataclass(frozen=True)
class Choice:
    """Whose predictions count.

    Args:
        predictions: a model_id in `predictions`; None for the only one there is, or else a baseline.
        only_baseline: a baseline even where there are predictions.
        baseline: how it is made.
    """

    predictions: str | None
    only_baseline: bool
    baseline: Baseline


def labels_and_scores(
    lake: Lake, run_id: str, wanted: Wanted, choice: Choice
) -> tuple[Given, Scores, Mapping[str, object]]:
    """The labels that can be judged, their probabilities, and what was left out.

    Raises:
        UsageError: the labels or the predictions are not fit for it.
        ModelUnavailable: an optional package is missing.
    """
    with Session(lake) as session:
        bound(session)
        hold_task(session, wanted.task)
        model_id = None if choice.only_baseline else chosen_predictions(session, wanted.task, choice.predictions)
        if model_id is not None:
            several = classes_of(session, wanted.task, model_id)[1]
            wanted = replace(wanted, multilabel=wanted.multilabel or several)
        given = given_labels(session, wanted)
        stale = newer_labels(session, wanted.task) if wanted.consensus else 0
        unused = "" if model_id is not None else ", ".join(in_sample_models(session, wanted.task))
        if model_id is not None:
            judged, scores = stored_scores(session, given, model_id)
            more: Mapping[str, object] = {"without an out-of-sample prediction": len(given) - len(judged)}
    if model_id is None:
        judged, scores, more = baseline_scores(lake, run_id, given, choice.baseline)
    told = {
        "images with contradicting labels, left out": given.contradicted,
        "labels newer than the consensus": stale and f"{stale:,} (run curate consensus again)",
        "in-sample predictions, not used": unused,
        **more,
    }
    return judged, scores, {key: value for key, value in told.items() if value}


def summary(given: Given, scores: Scores, judged: Judged) -> dict[str, object]:
    """Lines for the report."""
    counts = given.counts()
    absent = [name for name, count in zip(given.classes, counts, strict=True) if count < 2]
    wrong = np.bincount(given.codes[judged.wrong], minlength=len(given.classes))
    worst = [k for k in np.argsort(-wrong, kind="stable") if wrong[k]]
    lines = {
        "predictions": scores.model_id,
        "labels of": ", ".join(given.annotators),
        "label issues": f"{judged.is_issue.sum():,} of {len(given):,} images ({judged.is_issue.mean():.1%})",
        "most issues": ", ".join(f"{given.classes[k]} {wrong[k]:,} of {counts[k]:,}" for k in worst[:_NAMED]),
        "classes on no image or on all, not judged": ", ".join(judged.unjudged),
    }
    if not given.is_multilabel:
        agreed = (scores.predicted() == given.codes).mean()
        lines["predictions that agree with the label"] = f"{agreed:.1%}"
        lines["classes with fewer than two labelled images"] = ", ".join(absent)
    return {key: value for key, value in lines.items() if value}
