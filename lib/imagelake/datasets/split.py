"""Leak-free stratified splits: groups of images in, the split of each group out.

What is minimised is the weighted sum of squares

    J = sum over j of w_j * sum over splits s of (n_sj - t_sj)^2 / p_s

where j runs over the classes and over "all images", n_sj counts what split s has of j, t_sj = p_s * N_j is its share,
and w_j = (N_j / sum of k_gj^2)^2 for the counts k_gj of the groups g makes the deviations comparable: they are measured
in typical groups. Groups are placed one after the other, the largest first and those of one size in an order drawn
from the seed, each where J grows least. This is iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, On the
stratification of multi-label data) with groups in the place of examples, and with all classes of a group weighed at
once, not only the rarest.

Bound: a step chooses the best split, which is no worse than the mean over the splits, weighted by p; that mean is what
random assignment gives, so the choice is the derandomised one (method of conditional expectations), and at the end

    J <= (S - 1) * sum over j of w_j * sum over g of k_gj^2.

For S splits without classes it follows from the same mean that no split exceeds its share by more than
(1/2 + p_s * (S - 2) / 2) times the largest group. In practice the single images that come last even out what the large
groups have left, and deviations are an image or two per class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Groups of images and how many of each class they hold.

    Attributes:
        sizes: (g,) images per group.
        starts: (g + 1,) the classes of group i are at starts[i] up to starts[i + 1] of the next two.
        classes: class numbers.
        counts: images of that class in the group.
        class_count: number of classes.
    """

    sizes: Indices
    starts: Indices
    classes: Indices
    counts: Indices
    class_count: int


def grouped(group_of: Indices, images: Indices, classes: Indices, class_count: int) -> Groups:
    """Count the classes of each group.

    Args:
        group_of: (n,) the group of each image, 0 to g - 1, each at least once.
        images: (m,) the image of each label, 0 to n - 1.
        classes: (m,) the class of each label, 0 to class_count - 1.
        class_count: number of classes.
    """
    sizes = np.bincount(group_of)
    width = max(class_count, 1)
    cells, counts = np.unique(group_of[images] * width + classes, return_counts=True)
    starts = np.searchsorted(cells, np.arange(len(sizes) + 1) * width)
    return Groups(sizes, starts, cells % width, counts, class_count)


def assign(groups: Groups, shares: Sequence[float], order: Indices, fixed: Indices | None = None) -> Indices:
    """The split of each group.

    Args:
        groups: the groups.
        shares: (s,) share of each split, above 0, adding up to 1.
        order: (g,) number that settles the order of groups of one size, such as a hash of the seed and the group.
        fixed: (g,) the split of a group that is given already, -1 for groups to be placed; values of len(shares) and
            above stand for splits that have no share and are left out of the count.

    Returns:
        (g,) split numbers.
    """
    found = np.full(len(groups.sizes), -1) if fixed is None else fixed.copy()
    counted = found < len(shares)
    weights = _weights(groups, counted)
    inverse = [1 / share for share in shares]
    # costs[j][s] = 2 w_j (n_sj - t_sj) / p_s, which starts at -2 w_j N_j
    totals = _totals(groups, counted)
    costs = [[-2 * w * n] * len(shares) for w, n in zip(weights, totals, strict=True)]
    places = np.lexsort((order, -groups.sizes))
    first = [g for g in places.tolist() if 0 <= found[g] < len(shares)]
    rest = [g for g in places.tolist() if found[g] == -1]
    table = _Table(groups, weights, inverse, costs)
    for g in first:
        table.place(g, int(found[g]))
    for g in rest:
        found[g] = table.place(g, None)
    return found


def _totals(groups: Groups, counted: NDArray[np.bool_]) -> list[float]:
    """Images of each class, then all images, in the groups that count."""
    of_cell = np.repeat(counted, np.diff(groups.starts))
    by_class = np.bincount(groups.classes[of_cell], groups.counts[of_cell], groups.class_count)
    return [*by_class.tolist(), float(groups.sizes[counted].sum())]


def _weights(groups: Groups, counted: NDArray[np.bool_]) -> list[float]:
    of_cell = np.repeat(counted, np.diff(groups.starts))
    counts = groups.counts[of_cell].astype(np.float64)
    squares = np.bincount(groups.classes[of_cell], counts**2, groups.class_count)
    all_squares = float((groups.sizes[counted].astype(np.float64) ** 2).sum())
    totals = _totals(groups, counted)
    return [(n / q) ** 2 if q else 0.0 for n, q in zip(totals, [*squares.tolist(), all_squares], strict=True)]


class _Table:
    """The cost of one more image of each class in each split; lists, for a row has only a few numbers."""

    def __init__(self, groups: Groups, weights: list[float], inverse: list[float], costs: list[list[float]]) -> None:
        self._sizes, self._starts = groups.sizes.tolist(), groups.starts.tolist()
        self._classes, self._counts = groups.classes.tolist(), groups.counts.tolist()
        self._weights, self._inverse, self._costs = weights, inverse, costs

    def place(self, g: int, split: int | None) -> int:
        """Put a group where it costs least, or where it is told to be; returns the split."""
        start, end = self._starts[g], self._starts[g + 1]
        cells = [(len(self._weights) - 1, self._sizes[g])]
        cells += zip(self._classes[start:end], self._counts[start:end], strict=True)
        if split is None:
            own = sum(self._weights[j] * k * k for j, k in cells)
            cost = [own * i for i in self._inverse]
            for j, k in cells:
                cost = [c + k * each for c, each in zip(cost, self._costs[j], strict=True)]
            split = cost.index(min(cost))
        for j, k in cells:
            self._costs[j][split] += 2 * self._weights[j] * k * self._inverse[split]
        return split
