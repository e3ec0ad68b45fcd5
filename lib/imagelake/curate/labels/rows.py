"""Arrays of predictions and of label issues -> rows of the tables, in batches, without Python objects per row."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.labels.issues import Judged, most_confused
from imagelake.curate.labels.scores import Scores

_ROWS = 100_000
_VALUES = 2_000_000  # scores in one batch of predictions: each comes with the name of its class


def prediction_rows(given: Given, scores: Scores, folds: NDArray[np.integer] | None, run_id: str) -> Iterator[pa.Table]:
    """Rows of `predictions` for out-of-sample scores.

    Args:
        given: n images and K classes.
        scores: their probabilities.
        folds: the fold in which each image was held out, (n,); None where there are no folds.
        run_id: the run.
    """
    now = datetime.now(UTC)
    for part in _parts(len(given), max(1, _VALUES // len(given.classes))):
        values = scores.values[part]
        size = len(values)
        top = np.partition(values, -2, axis=1)[:, -2:].astype(np.float64)
        yield _table(
            size,
            {"model_id": scores.model_id, "task": given.task, "run_id": run_id, "predicted_at": now},
            {
                "image_id": given.image_ids[part],
                "classes": _lists(_names(np.tile(np.arange(len(given.classes)), size), given.classes), size),
                "scores": _lists(pa.array(values.ravel()), size),
                "predicted": _names(values.argmax(axis=1), given.classes),
                "margin": np.clip(top[:, 1] - top[:, 0], 0, 1),
                "entropy": entropy(values, is_multilabel=scores.is_multilabel),
                "is_multilabel": np.full(size, scores.is_multilabel),
                "is_out_of_sample": np.full(size, True),
                "fold": pa.nulls(size, pa.int32()) if folds is None else folds[part].astype(np.int32),
            },
        )


def entropy(values: NDArray[np.float32], *, is_multilabel: bool) -> NDArray[np.float64]:
    """Entropy in nats of each row: of one choice between K classes, or the sum over K separate yes-or-no choices."""
    p = np.clip(values.astype(np.float64), 0, 1)
    nats = _p_log_p(p) + (_p_log_p(1 - p) if is_multilabel else 0)
    total: NDArray[np.float64] = np.maximum(0, -nats.sum(axis=1))
    return total


def _p_log_p(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p * np.log(p, out=np.zeros_like(p), where=p > 0)


def issue_rows(given: Given, scores: Scores, judged: Judged, run_id: str) -> Iterator[pa.Table]:
    """Rows of `label_issues`, one per image."""
    now = datetime.now(UTC)
    given_labels = _names_of(given.rows, given.codes, given)
    suggested = _names_of(*judged.suggested, given)
    for part in _parts(len(given), _ROWS):
        yield _table(
            len(judged.quality[part]),
            {"task": given.task, "model_id": scores.model_id, "run_id": run_id, "computed_at": now},
            {
                "image_id": given.image_ids[part],
                "given_labels": given_labels[part],
                "suggested_labels": suggested[part],
                "label_quality": judged.quality[part],
                "is_issue": judged.is_issue[part],
            },
        )


def class_rows(given: Given, scores: Scores, judged: Judged, run_id: str) -> pa.Table:
    """Rows of `label_classes`, one per class."""
    return _table(
        len(given.classes),
        {"task": given.task, "model_id": scores.model_id, "run_id": run_id, "computed_at": datetime.now(UTC)},
        {
            "label": pa.array(given.classes, pa.string()),
            "images": given.counts(),
            "issues": np.bincount(given.codes[judged.wrong], minlength=len(given.classes)),
            "label_noise": pa.array(judged.noise, from_pandas=True),  # NaN as null
            "inverse_label_noise": pa.array(judged.inverse_noise, from_pandas=True),
            "label_quality": pa.array(1 - judged.noise, from_pandas=True),
            "most_confused_with": pa.array(most_confused(given, judged), pa.string()),
        },
    )


def _table(rows: int, same: Mapping[str, object], columns: Mapping[str, object]) -> pa.Table:
    """Columns with one value for all rows, and others."""
    repeated = {name: pa.repeat(value, rows) for name, value in same.items()}
    return pa.table({**repeated, **columns})


def _parts(rows: int, each: int) -> Iterator[slice]:
    for start in range(0, rows, each):
        yield slice(start, start + each)


def _names(codes: NDArray[np.integer], classes: Sequence[str]) -> pa.Array:
    return pa.array(classes, pa.string()).take(pa.array(codes))


def _names_of(rows: NDArray[np.int64], codes: NDArray[np.int64], given: Given) -> pa.Array:
    """Names of classes as one list per image; `rows` ascending."""
    ends = np.cumsum(np.bincount(rows, minlength=len(given)))
    return pa.ListArray.from_arrays(np.append(0, ends).astype(np.int32), _names(codes, given.classes))


def _lists(values: pa.Array, number: int) -> pa.Array:
    """As that many lists of equal length."""
    return pa.ListArray.from_arrays(np.arange(number + 1, dtype=np.int32) * (len(values) // number), values)
