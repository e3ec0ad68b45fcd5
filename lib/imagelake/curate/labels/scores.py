"""Out-of-sample probabilities of labelled images, as `predictions` has them: one float32 array, checked."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.errors import UsageError
from imagelake.lake.session import Session

_ROWS = 100_000
_SUM_TOLERANCE = 1e-3  # float32 sums of a thousand classes are off by less
BASELINES = ("probe:", "knn:")


@dataclass(frozen=True)
class Scores:
    """Probabilities of one model.

    Args:
        model_id: the model.
        values: float32 (n, K), row i of image i of the labels, column k of class k.
        is_multilabel: whether the columns stand for themselves; else rows add up to 1.
    """

    model_id: str
    values: NDArray[np.float32]
    is_multilabel: bool

    def predicted(self) -> NDArray[np.int64]:
        """The class with the greatest score, (n,); the first of equal ones."""
        best: NDArray[np.int64] = self.values.argmax(axis=1)
        return best


def _predicting(session: Session, task: str) -> list[str]:
    """Models that have out-of-sample predictions for a task."""
    sql = "select distinct model_id from predictions where task = $task and is_out_of_sample order by model_id"
    return [row[0] for row in session.execute(sql, {"task": task}).fetchall()]


def in_sample_models(session: Session, task: str) -> list[str]:
    """Models all of whose predictions for a task are in-sample."""
    sql = "select model_id from predictions where task = $task group by model_id having not bool_or(is_out_of_sample)"
    return sorted(row[0] for row in session.execute(sql, {"task": task}).fetchall())


def chosen_predictions(session: Session, task: str, asked: str | None, *, with_baselines: bool = False) -> str | None:
    """The model whose predictions are meant: the one asked for, or the only one; None when there is none.

    Args:
        session: a session over the lake.
        task: the labelling task.
        asked: a model_id, or None.
        with_baselines: whether our own baselines may stand in, where none is asked for and no other is there.

    Raises:
        UsageError: the one asked for has no out-of-sample predictions of the task, or several are there.
    """
    models = _predicting(session, task)
    if asked is None:
        trained = [name for name in models if not name.startswith(BASELINES)]
        models = trained or (models if with_baselines else [])
        if len(models) > 1:
            raise UsageError(f"task {task}: which predictions? give --predictions, one of: {', '.join(models)}")
        return models[0] if models else None
    if asked in models:
        return asked
    if asked in in_sample_models(session, task):
        raise UsageError(
            f"task {task}: all predictions of {asked} are in-sample: a model repeats the labels that it was"
            " trained with, wrong ones too. Predict with cross-validation, or leave --predictions out for a baseline"
        )
    there = f"there are {', '.join(models)}" if models else "there are none; leave --predictions out for a baseline"
    raise UsageError(f"no out-of-sample predictions of {asked} for task {task}: {there}")


def stored_scores(session: Session, given: Given, model_id: str, *, are_votes: bool = False) -> tuple[Given, Scores]:
    """The labels of images with out-of-sample predictions, in the order of the model's classes, and the predictions.

    Args:
        session: a session over the lake.
        given: the labels.
        model_id: the model.
        are_votes: whether several annotators may differ on an image. Classes that only votes have then come after those
            of a baseline, which leaves rare ones out, with probability 0.

    Raises:
        UsageError: labels that are no class of the model, predictions that are no probabilities, or none for these
            images.
    """
    classes, is_multilabel = classes_of(session, given.task, model_id)
    if given.is_multilabel != is_multilabel:
        number = "several labels" if is_multilabel else "one label"
        raise UsageError(f"task {given.task}: the predictions of {model_id} are for {number} per image")
    if are_votes and model_id.startswith(BASELINES):
        extra = sorted(set(given.classes) - set(classes))
    else:
        extra = []
        _hold_classes(given, classes, model_id, are_votes=are_votes)
    known = given.of_classes([*classes, *extra])
    session.con.register("given_images", pa.table({"image_id": known.image_ids, "place": np.arange(len(known))}))
    has = np.zeros(len(known), np.bool_)
    values = np.zeros((len(known), len(known.classes)), np.float32)
    for batch in session.batches(_SCORES, {"model": model_id, "task": given.task}, _ROWS):
        places = batch.column("place").to_numpy(zero_copy_only=False)
        flat = batch.column("scores").flatten().to_numpy(zero_copy_only=False)
        if len(flat) != len(places) * len(classes):
            raise UsageError(f"task {given.task}: {model_id} has predictions with more or fewer scores than classes")
        values[places, : len(classes)] = flat.reshape(len(places), len(classes))
        has[places] = True
    if not has.any():
        raise UsageError(f"task {given.task}: no labelled image has an out-of-sample prediction of {model_id}")
    judged = known.of_images(has)
    scores = Scores(model_id, values if has.all() else values[has], is_multilabel)
    _check(scores, judged)
    return judged, scores


def classes_of(session: Session, task: str, model_id: str) -> tuple[list[str], bool]:
    """The classes of a model's out-of-sample predictions, and whether an image may have several of them.

    Raises:
        UsageError: the predictions differ in that, or there are fewer than two classes.
    """
    row = session.execute(_CLASSES, {"model": model_id, "task": task}).fetchall()[0]
    first, last, any_multilabel, all_multilabel = row
    if first != last or any_multilabel != all_multilabel:
        raise UsageError(
            f"task {task}: {model_id} has predictions with differing lists of classes: predict again with one list"
        )
    if len(set(first)) != len(first) or len(first) < 2:
        raise UsageError(f"task {task}: the classes of {model_id} must be two or more, each once: {', '.join(first)}")
    return first, any_multilabel


def _hold_classes(given: Given, classes: list[str], model_id: str, *, are_votes: bool) -> None:
    outside = [i for i, name in enumerate(given.classes) if name not in set(classes)]
    if outside:
        counts = given.counts()
        names = ", ".join(f"{given.classes[i]!r} ({counts[i]:,} images)" for i in outside[:5])
        more = f" and {len(outside) - 5:,} more" if len(outside) > 5 else ""
        instead = "settle them with --majority" if are_votes else "leave --predictions out for a baseline"
        raise UsageError(
            f"task {given.task}: labels that are no class of {model_id}: {names}{more}; its classes are"
            f" {', '.join(classes)}. Predict with all classes, or {instead}"
        )


def _check(scores: Scores, given: Given) -> None:
    """Hold that the scores are probabilities.

    Raises:
        UsageError: they are not; names the first image.
    """
    values = scores.values
    wrong = ~np.isfinite(values).all(axis=1)
    what = "not a number"
    if not wrong.any():
        wrong = (values.min(axis=1) < -_SUM_TOLERANCE) | (values.max(axis=1) > 1 + _SUM_TOLERANCE)
        what = "not between 0 and 1"
    if not wrong.any() and not scores.is_multilabel:
        wrong = np.abs(values.sum(axis=1, dtype=np.float64) - 1) > _SUM_TOLERANCE
        what = "not adding up to 1"
    if wrong.any():
        image_id = given.image_ids[int(wrong.argmax())].as_py()
        raise UsageError(
            f"task {given.task}: {int(wrong.sum()):,} predictions of {scores.model_id} have scores that are {what},"
            f" such as that of image {image_id}: predict again"
        )


_CLASSES = """
select min(classes), max(classes), bool_or(is_multilabel), bool_and(is_multilabel)
from predictions
where model_id = $model and task = $task and is_out_of_sample
"""

_SCORES = """
select g.place, p.scores
from predictions as p
join given_images as g on p.image_id = g.image_id
where p.model_id = $model and p.task = $task and p.is_out_of_sample
"""
