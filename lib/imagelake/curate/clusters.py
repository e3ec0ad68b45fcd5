"""Clusters of pictures: normalised vectors in, the number of each one's cluster and its cosine to the centre out.

Spherical k-means (Dhillon, Modha: "Concept decompositions for large sparse text data using clustering", 2001): centres
are means scaled to length 1, and a vector belongs to the centre with the largest cosine.
"""

import math

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.knn import faiss

_ITERATIONS = 25
_TRAINING = 256  # vectors per cluster; of more, a sample
_MOST = 1_000


def usual_number(images: int) -> int:
    """How many clusters: sqrt(n / 2), the rule of thumb of Mardia, Kent, Bibby: "Multivariate analysis", 1979, 13.5."""
    return min(max(round(math.sqrt(images / 2)), 1), _MOST, images)


def clusters_of(vectors: NDArray[np.float32], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group vectors by direction.

    Args:
        vectors: float32 (n, d), each of length 1, n >= 1.
        count: clusters, 1 to n; fewer come out where vectors are equal.
        seed: of the first centres and of the sample; the same gives the same.

    Returns:
        The cluster of each (int64, 0 is the largest; of equal size, that of the earlier vector), and its cosine to the
        centre (float64, 6 decimals).

    Raises:
        ModelUnavailable: faiss is not installed.
    """
    library = faiss()
    options = {"min_points_per_centroid": 1, "max_points_per_centroid": _TRAINING, "seed": seed}
    clustering = library.Kmeans(vectors.shape[1], count, niter=_ITERATIONS, spherical=True, **options)
    clustering.train(vectors)
    cosines, nearest = library.knn(vectors, clustering.centroids, 1, metric=library.METRIC_INNER_PRODUCT)
    _, first, numbers, sizes = np.unique(nearest.ravel(), return_index=True, return_inverse=True, return_counts=True)
    places = np.empty(len(sizes), np.int64)
    places[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return places[numbers], cosines.ravel().astype(np.float64).round(6).clip(-1, 1)
