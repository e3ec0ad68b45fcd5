"""A map of pictures: normalised vectors in, places in two dimensions out, near to each other what is alike.

t-SNE (van der Maaten, Hinton: "Visualizing data using t-SNE", 2008) over the first 50 principal components, begun at
the first two; or these two alone. Distances between far groups mean nothing in t-SNE.
"""

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.optional import needed

METHODS = ("tsne", "pca")
_COMPONENTS = 50
_PERPLEXITY = 30.0
_FEWEST = 5  # points that t-SNE can lay out


def project(vectors: NDArray[np.float32], method: str, seed: int) -> tuple[NDArray[np.float64], str]:
    """Lay vectors out.

    Args:
        vectors: float32 (n, d), each of length 1, n >= 1.
        method: tsne or pca; fewer than 5 points, and points that are all equal, are laid out by pca.
        seed: the same gives the same.

    Returns:
        float64 (n, 2), both coordinates scaled alike so that the longer side of the map goes from -1 to 1; and the
        method that laid them out.

    Raises:
        ModelUnavailable: scikit-learn is not installed.
    """
    # One thread: thousands of short steps, which threads only hinder, and the same map on every machine.
    with needed("threadpoolctl").threadpool_limits(1):
        components = _principal(vectors, _COMPONENTS if method == "tsne" else 2, seed)
        if method == "tsne" and not (len(vectors) >= _FEWEST and components.any()):
            method = "pca"
        if method == "tsne":
            perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
            beginning = _beginning(components)
            tsne = needed("sklearn.manifold").TSNE(perplexity=perplexity, init=beginning, random_state=seed)
            components = tsne.fit_transform(components)
    return _scaled(components[:, :2].astype(np.float64)), method


def _principal(vectors: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """The first principal components, at least two columns; their signs are settled."""
    found = min(count, *vectors.shape)
    pca = needed("sklearn.decomposition").PCA(found, svd_solver="randomized", random_state=seed)
    is_flat = bool((vectors == vectors[0]).all())  # one point, or all equal: no variance to explain
    components = np.zeros((len(vectors), found)) if is_flat else pca.fit_transform(vectors)
    padded: NDArray[np.float32] = np.pad(components, ((0, 0), (0, max(2 - found, 0)))).astype(np.float32)
    return padded


def _beginning(components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where t-SNE begins: small, as Kobak, Berens ("The art of using t-SNE", 2019) advise."""
    small: NDArray[np.float32] = components[:, :2] / components[:, 0].std() * np.float32(1e-4)
    return small


def _scaled(places: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) / 2
    scaled: NDArray[np.float64] = ((places - (low + high) / 2) / (half or 1.0)).clip(-1, 1)
    return scaled
