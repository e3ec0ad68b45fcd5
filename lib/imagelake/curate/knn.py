"""Nearest neighbours and similar pairs by cosine: normalised vectors in memory in, indices and cosines out.

Two ways for the k nearest of all: `nearest_to_all` compares everything with everything and is exact; `nearest_by_lists`
compares each vector with the lists of vectors whose centres are nearest (an inverted file: Jegou, Douze, Schmid:
"Product quantization for nearest neighbor search", 2011, section 4), list after list so that the work is products of
matrices, and says which recall it reaches.

Cosines are rounded to 6 decimals, which is what float32 can tell; equal ones are ordered by index.
"""

import os
from collections.abc import Iterator
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.optional import needed

Nearest = tuple[NDArray[np.int64], NDArray[np.float32]]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
_SPARE = 8  # neighbours asked for beyond k, so that ties at the end are seen
_ROWS, _COLUMNS = 1_024, 8_192  # of a tile of cosines: 32 MB
_SLACK = 1e-5  # more than float32 products of unit vectors differ from the exact ones

# Of the lists:
TARGET_RECALL = 0.95
_SAMPLE = 1_000  # vectors whose exact neighbours are known
_MOST_PROBES = 64
_TRAINING = 64  # vectors per list
_ITERATIONS = 8


def faiss() -> ModuleType:
    """The library, with as many threads as this process may use.

    Raises:
        ModelUnavailable: it is not installed.
    """
    library = needed("faiss")
    library.omp_set_num_threads(len(os.sched_getaffinity(0)))
    return library


def nearest_to_all(vectors: NDArray[np.float32], k: int) -> Nearest:
    """The k vectors most similar to each, exactly.

    Args:
        vectors: float32 (n, d), each of length 1.
        k: how many.

    Returns:
        Indices int64 (n, k), and cosines float32 (n, k), best first, equal ones by index, itself left out; n - 1 of
        them where k is more.

    Raises:
        ModelUnavailable: faiss is not installed.
    """
    library, n = faiss(), len(vectors)
    k = min(k, n - 1)
    if k < 1:
        return np.empty((n, 0), np.int64), np.empty((n, 0), np.float32)
    asked = min(n, k + 1 + _SPARE)
    scores, found = library.knn(vectors, vectors, asked, metric=library.METRIC_INNER_PRODUCT)
    cosines, indices, unsettled = _settle(scores, found, k, asked < n)
    if len(unsettled):
        indices[unsettled], cosines[unsettled] = _nearest_to(vectors, unsettled, k)
    return indices, cosines


def _settle(
    scores: NDArray[np.float32], found: NDArray[np.int64], k: int, more: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The k best without the row itself, and the rows where what was not found may equal what was."""
    rounded = _rounded(scores)
    last = rounded[:, -1].copy()
    rounded[found == np.arange(len(found))[:, None]] = -np.inf
    best = np.lexsort((found, -rounded), axis=1)[:, :k]
    rounded, found = np.take_along_axis(rounded, best, 1), np.take_along_axis(found, best, 1)
    return rounded, found, np.flatnonzero(rounded[:, -1] <= last) if more else np.empty(0, np.int64)


def _nearest_to(vectors: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Nearest:
    """Some rows of `nearest_to_all`, where many cosines are equal; of equal vectors one is searched for all."""
    whole = vectors[rows].view(np.dtype((np.void, vectors[0].nbytes))).ravel()
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    at_once = max(1, _ROWS * _COLUMNS // len(vectors))
    parts = [_best(vectors, rows[first[start : start + at_once]], k + 1) for start in range(0, len(first), at_once)]
    best, cosines = (np.concatenate(part)[kind] for part in zip(*parts, strict=True))
    return _without_self((cosines, best), rows, k)


def _best(vectors: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Nearest:
    """The k best of some rows among all, themselves included."""
    cosines = _rounded(vectors[rows] @ vectors.T)
    floors = np.partition(cosines, -k, axis=1)[:, -k]
    best = np.empty((len(rows), k), np.int64)
    for i, (row, floor) in enumerate(zip(cosines, floors, strict=True)):
        above = np.flatnonzero(row > floor)
        best[i] = np.append(above[np.argsort(-row[above], kind="stable")], np.flatnonzero(row == floor))[:k]
    return best, np.take_along_axis(cosines, best, 1)


def _rounded(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    return cosines.round(6).clip(-1, 1)


def cosine_pairs(vectors: NDArray[np.float32], min_similarity: float) -> Pairs:
    """All pairs of vectors whose cosine, rounded to 6 decimals, is at least `min_similarity`.

    Args:
        vectors: float32 (n, d), each of length 1.
        min_similarity: -1 to 1.

    Returns:
        i, j (int64, i < j) and the cosines (float32), every pair once, by i and j within a tile. Memory holds a tile of
        cosines and the pairs, never n x n.
    """
    parts = list(cosine_pair_blocks(vectors, min_similarity))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    rows, columns, cosines = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, cosines


def cosine_pair_blocks(vectors: NDArray[np.float32], min_similarity: float) -> Iterator[Pairs]:
    """What `cosine_pairs` gives, in parts."""
    tile = np.empty((_ROWS, _COLUMNS), np.float32)
    for top in range(0, len(vectors), _ROWS):
        rows = vectors[top : top + _ROWS]
        for left in range(top, len(vectors), _COLUMNS):
            columns = vectors[left : left + _COLUMNS]
            products = np.matmul(rows, columns.T, out=tile[: len(rows), : len(columns)])
            i, j = np.nonzero(products >= min_similarity - _SLACK)
            i, j = i + top, j + left
            yield from _confirmed(vectors, i[i < j], j[i < j], min_similarity)


def _confirmed(
    vectors: NDArray[np.float32], i: NDArray[np.int64], j: NDArray[np.int64], min_similarity: float
) -> Iterator[Pairs]:
    """Candidates whose cosine in double precision is high enough."""
    for start in range(0, len(i), _COLUMNS):
        rows, columns = i[start : start + _COLUMNS], j[start : start + _COLUMNS]
        products = np.einsum("nd,nd->n", vectors[rows], vectors[columns], dtype=np.float64)
        cosines = products.round(6).clip(-1, 1)
        enough = cosines >= min_similarity
        yield rows[enough], columns[enough], cosines[enough].astype(np.float32)


def nearest_by_lists(vectors: NDArray[np.float32], k: int, seed: int = 0) -> tuple[Nearest, float]:
    """The k vectors most similar to each, of those in the lists that are nearest to it.

    As many lists are searched as a sample needs for `TARGET_RECALL`, at most 64.

    Args:
        vectors: float32 (n, d), each of length 1; many more than k.
        k: how many.
        seed: of the lists and the sample.

    Returns:
        As `nearest_to_all`, index -1 and cosine 0 where the lists hold too few, and the recall: the share of the exact
        neighbours of a sample that was found.

    Raises:
        ModelUnavailable: faiss is not installed.
    """
    library, rng = faiss(), np.random.default_rng(seed)
    metric, n = library.METRIC_INNER_PRODUCT, len(vectors)
    centres = _centres(vectors, rng, seed)
    sample = np.sort(rng.choice(n, min(n, _SAMPLE), replace=False))
    truth = _without_self(library.knn(vectors[sample], vectors, k + 1, metric=metric), sample, k)[0]
    holders = library.knn(vectors[truth.ravel()], centres, 1, metric=metric)[1].reshape(truth.shape)
    probed = library.knn(vectors[sample], centres, min(_MOST_PROBES, len(centres)), metric=metric)[1]
    near = library.knn(vectors, centres, _needed_probes(holders, probed), metric=metric)[1].astype(np.int32)
    found = _search_lists(library, vectors, near, k)
    hit = (found[0][sample][:, :, None] == truth[:, None, :]).any(axis=1)
    return found, float(hit.mean())


def _centres(vectors: NDArray[np.float32], rng: np.random.Generator, seed: int) -> NDArray[np.float32]:
    """Centres of about 2 sqrt(n) lists, from a sample."""
    n, d = vectors.shape
    count = min(max(round(2 * n**0.5), 1), n)
    training = vectors[np.sort(rng.choice(n, min(n, count * _TRAINING), replace=False))]
    options = {"min_points_per_centroid": 1, "max_points_per_centroid": _TRAINING, "seed": seed + 1}
    clustering = faiss().Kmeans(d, count, niter=_ITERATIONS, spherical=True, **options)
    clustering.train(training)
    centres: NDArray[np.float32] = clustering.centroids
    return centres


def _needed_probes(holders: NDArray[np.int64], probed: NDArray[np.int64]) -> int:
    """How many of the nearest lists (sample, lists) hold the target's share of the neighbours (sample, k)."""
    same = probed[:, None, :] == holders[:, :, None]
    places = np.where(same.any(axis=2), same.argmax(axis=2), probed.shape[1])
    for probes in range(1, probed.shape[1]):
        if np.mean(places < probes) >= TARGET_RECALL:
            return probes
    return int(probed.shape[1])


def _search_lists(library: ModuleType, vectors: NDArray[np.float32], near: NDArray[np.int32], k: int) -> Nearest:
    """For each list: its vectors against all vectors that have it among their nearest lists."""
    n, probes = near.shape
    best, cosines = np.full((n, k), -1), np.full((n, k), -np.inf, np.float32)
    members, asking = _by_list(near[:, 0]), _by_list(near.ravel())
    for number, own in members.items():
        rows = asking[number] // probes
        scores, found = library.knn(
            vectors[rows], vectors[own], min(k + 1, len(own)), metric=library.METRIC_INNER_PRODUCT
        )
        indices, scores = own[found], _rounded(scores)
        scores[indices == rows[:, None]] = -np.inf
        better = scores.max(axis=1) >= cosines[rows, -1]
        rows = rows[better]
        indices, scores = (np.hstack(both) for both in ((best[rows], indices[better]), (cosines[rows], scores[better])))
        order = np.lexsort((indices, -scores), axis=1)[:, :k]
        best[rows], cosines[rows] = np.take_along_axis(indices, order, 1), np.take_along_axis(scores, order, 1)
    best[np.isinf(cosines)] = -1
    return best, np.where(best < 0, 0, cosines)


def _by_list(numbers: NDArray[np.integer]) -> dict[int, NDArray[np.int64]]:
    """Where each number stands."""
    order = np.argsort(numbers, kind="stable")
    edges = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return {int(numbers[part[0]]): part for part in np.split(order, edges[1:])}


def _without_self(
    found: tuple[NDArray[np.float32], NDArray[np.int64]], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k best of k + 1, without the row itself."""
    scores, indices = _rounded(found[0]), found[1]
    scores[indices == rows[:, None]] = -np.inf
    order = np.lexsort((indices, -scores), axis=1)[:, :k]
    return np.take_along_axis(indices, order, 1), np.take_along_axis(scores, order, 1)
