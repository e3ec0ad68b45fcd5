"""A linear probe: out-of-sample probabilities of classes from stored vectors, by cross-validation.

In: vectors, labels, groups of duplicates. Out: float32 (n, K). No image is scored by a model that saw it or one of its
duplicates: copies would confirm their own wrong labels. (Linear probes: Alain and Bengio 2016, arXiv 1610.01644.)
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.optional import needed

# C of the logistic regression, for features of mean squared length 1. On digits with 5 and 20 % of planted noise values
# from 0.5 to 5 do about equally well; with 50, hardly a penalty, the probe learns the wrong labels by heart.
_INVERSE_PENALTY = 2.0
_ITERATIONS = 300
_ONE_THREAD = 20_000_000  # numbers up to which the threads of the matrix library cost more than they bring


def few_pictures(given: Given, groups: NDArray[np.int64], least: int) -> list[str]:
    """Classes with fewer than `least` pictures, duplicates counted once; without labels they count, too."""
    pairs = np.unique(np.stack([given.codes, groups[given.rows]]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(given.classes))
    return [name for name, count in zip(given.classes, counts, strict=True) if count < least]


def folds_of(given: Given, groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Deal images to folds: groups stay together, classes are spread evenly.

    Every group counts as its rarest class; the groups of a class are shuffled and dealt in turn, so that without
    duplicates the images of a class in two folds differ by at most one (with several labels per image: for the rarest).

    Args:
        given: labels of n images.
        groups: int64 (n,): the same number for images that must not be separated, 0..g-1.
        folds: how many.
        seed: of the shuffling.

    Returns:
        The fold of each image, (n,), 0..folds-1.
    """
    rarity = np.argsort(np.argsort(given.counts(), kind="stable"), kind="stable")  # 0 for the rarest class
    number = int(groups.max()) + 1
    stratum = np.full(number, len(given.classes))
    np.minimum.at(stratum, groups[given.rows], rarity[given.codes])
    shuffled = np.random.default_rng(seed).permutation(number)
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(number, np.int64)
    fold[order] = np.arange(number) % folds
    return fold[groups]


def probe_scores(vectors: NDArray[np.float32], given: Given, folds: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities of each image by a logistic regression fitted without the image's fold.

    Multinomial for one label per image; one against the rest for several. Vectors are standardised: mean 0 and
    variance 1 per number, over all of them, for that uses no label; then divided by sqrt(d), so that the penalty does
    not depend on d.

    Args:
        vectors: float32 (n, d), row i of image i.
        given: the labels.
        folds: the fold of each image, (n,).

    Returns:
        float32 (n, K).

    Raises:
        ModelUnavailable: scikit-learn is not installed.
    """
    spread = vectors.std(axis=0)
    scale = np.where(spread > 0, spread, 1) * np.float32(vectors.shape[1] ** 0.5)
    features = (vectors - vectors.mean(axis=0)) / scale
    scores = np.zeros((len(given), len(given.classes)), np.float32)
    onehot = given.onehot().astype(np.int64) if given.is_multilabel else None
    for fold in np.unique(folds):
        held, seen = features[folds == fold], features[folds != fold]
        if onehot is None:
            known, found = _fitted(seen, given.codes[folds != fold], held)
            scores[np.ix_(folds == fold, known)] = found
            continue
        for k in range(len(given.classes)):
            known, found = _fitted(seen, onehot[folds != fold, k], held)
            scores[folds == fold, k] = found[:, known == 1].sum(axis=1)  # 0 for a class that no image shows
    return scores


def _fitted(
    seen: NDArray[np.float32], labels: NDArray[np.int64], held: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The classes among the labels, and the probability of each for the images held out."""
    known = np.unique(labels)
    if len(known) < 2:
        return known, np.ones((len(held), len(known)), np.float32)
    linear = needed("sklearn.linear_model")
    threads = needed("threadpoolctl").threadpool_limits(1 if seen.size < _ONE_THREAD else None)
    with threads, warnings.catch_warnings():  # what is still to be gained after so many steps changes no ranking
        warnings.simplefilter("ignore", needed("sklearn.exceptions").ConvergenceWarning)
        model = linear.LogisticRegression(C=_INVERSE_PENALTY, max_iter=_ITERATIONS).fit(seen, labels)
    return model.classes_, model.predict_proba(held).astype(np.float32)
