"""Label issues by confident learning: labels and out-of-sample probabilities in, what cleanlab says of them out.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 70). The flags
and scores are cleanlab's, unchanged. It runs in one process (`n_jobs=1`): for a million images and ten classes that
takes seconds, and its batched variant flags other images.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.labels.scores import Scores
from imagelake.curate.optional import needed
from imagelake.errors import UsageError

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)
_SUGGESTED = 0.5  # of several labels, those that are likelier than not


@dataclass(frozen=True)
class Judged:
    """What is thought of the labels of n images and K classes.

    Args:
        is_issue: bool (n,).
        quality: float64 (n,), 0 to 1: how likely the labels of the image are right.
        suggested: image and class (int64, as `rows` and `codes` of the labels) of what the predictions speak for.
        wrong: bool (m,): which of the given labels are wrong. With several labels per image an issue may also be one
            that is missing.
        noise: float64 (K,): estimated share of the images with this label that are of another class; NaN without such.
        inverse_noise: float64 (K,): estimated share of the images of this class that have another label.
        unjudged: classes that are on no image or on all, about which several labels per image tell nothing.
    """

    is_issue: NDArray[np.bool_]
    quality: NDArray[np.float64]
    suggested: tuple[NDArray[np.int64], NDArray[np.int64]]
    wrong: NDArray[np.bool_]
    noise: NDArray[np.float64]
    inverse_noise: NDArray[np.float64]
    unjudged: list[str]


def judge(given: Given, scores: Scores, filter_by: str = FILTERS[0]) -> Judged:
    """Find label issues.

    Args:
        given: labels of n images.
        scores: their out-of-sample probabilities.
        filter_by: cleanlab's rule, one of `FILTERS`; the last two only for one label per image.

    Raises:
        UsageError: fewer than two classes have labels, or the rule is not for several labels per image.
        ModelUnavailable: cleanlab is not installed.
    """
    with _quiet():
        return _judge_several(given, scores, filter_by) if given.is_multilabel else _judge_one(given, scores, filter_by)


def _judge_one(given: Given, scores: Scores, filter_by: str) -> Judged:
    counts = given.counts()
    if np.count_nonzero(counts) < 2:
        only = given.classes[int(counts.argmax())]
        raise UsageError(f"task {given.task}: all images are {only!r}: label issues need two classes or more")
    find = needed("cleanlab.filter").find_label_issues
    is_issue: NDArray[np.bool_] = find(given.codes, scores.values, filter_by=filter_by, n_jobs=1)
    quality = needed("cleanlab.rank").get_label_quality_scores(given.codes, scores.values)
    joint = needed("cleanlab.count").estimate_joint(given.codes, scores.values)
    own = joint.diagonal()
    return Judged(
        is_issue=is_issue,
        quality=_shares(quality),
        suggested=(given.rows, scores.predicted()),
        wrong=is_issue,
        noise=_noise(own, joint.sum(axis=1), counts),
        inverse_noise=_noise(own, joint.sum(axis=0), counts),
        unjudged=[],
    )


def _judge_several(given: Given, scores: Scores, filter_by: str) -> Judged:
    if filter_by.startswith("low_"):
        raise UsageError(f"--filter-by {filter_by} is for one label per image")
    counts = given.counts()
    told = (counts > 0) & (counts < len(given))
    if not told.any():
        raise UsageError(f"task {given.task}: every class is on all images or on none: nothing to compare")
    values = scores.values[:, told]
    onehot = given.onehot()[:, told]
    lists = _lists(onehot)
    by_class = np.zeros(scores.values.shape, np.bool_)
    find = needed("cleanlab.multilabel_classification.filter").find_multilabel_issues_per_class
    by_class[:, told] = find(lists, values, filter_by=filter_by, n_jobs=1)
    joint = np.full((len(told), 2, 2), np.nan)  # (class, given or not, true or not)
    joint[told] = needed("cleanlab.count").estimate_joint(lists, values, multi_label=True)
    own = joint[:, 1, 1]
    if values.shape[1] == 1:  # cleanlab scores no class alone; beside its like it has the same score
        lists, values = _lists(np.repeat(onehot, 2, axis=1)), np.repeat(values, 2, axis=1)
    quality = needed("cleanlab.multilabel_classification.rank").get_label_quality_scores(lists, values)
    rows, codes = np.nonzero(scores.values >= _SUGGESTED)
    return Judged(
        is_issue=np.asarray(by_class.any(axis=1)),
        quality=_shares(quality),
        suggested=(rows, codes),
        wrong=by_class[given.rows, given.codes],
        noise=_noise(own, joint[:, 1].sum(axis=1), counts),
        inverse_noise=_noise(own, joint[:, :, 1].sum(axis=1), counts),
        unjudged=[name for name, is_told in zip(given.classes, told, strict=True) if not is_told],
    )


def most_confused(given: Given, judged: Judged) -> list[str | None]:
    """For each class the one that its wrong labels most often should be, the first of equal ones; None without."""
    sparse, shape = needed("scipy.sparse").csr_array, (len(given), len(given.classes))
    rows, codes = judged.suggested
    new = ~np.isin(rows * shape[1] + codes, given.rows * shape[1] + given.codes)
    wrong = sparse((np.ones(judged.wrong.sum()), (given.rows[judged.wrong], given.codes[judged.wrong])), shape)
    instead = (wrong.T @ sparse((np.ones(new.sum()), (rows[new], codes[new])), shape)).toarray()
    return [given.classes[int(row.argmax())] if row.max() > 0 else None for row in instead]


def _lists(onehot: NDArray[np.bool_]) -> list[list[int]]:
    """The classes of each image, as cleanlab takes several labels."""
    columns = np.nonzero(onehot)[1]
    return [part.tolist() for part in np.split(columns, np.cumsum(onehot.sum(axis=1))[:-1])]


def _noise(own: NDArray[np.float64], total: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - own / total, as in cleanlab.dataset.rank_classes_by_label_quality; NaN for classes without labels."""
    share = np.divide(own, total, out=np.full(len(own), np.nan), where=total > 0)
    return np.where(counts > 0, _shares(1 - share), np.nan)


def _shares(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Within 0 and 1, which float32 may miss by its last digit."""
    return np.clip(values.astype(np.float64), 0, 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without cleanlab's warning about classes of one image or none: the report says so in its own words."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        yield
