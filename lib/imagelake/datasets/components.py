"""Connected components: pairs of images that share something in, one component per image out."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def components(count: int, left: Indices, right: Indices) -> Indices:
    """The connected component of each image.

    Every root that is joined to a lesser one is hooked to the least of them, then all paths are shortened to length
    one, until nothing is left to join (Shiloach and Vishkin 1982, An O(log n) parallel connectivity algorithm, with
    minimum hooking). Memory is a few arrays of `count` and of the pairs.

    Args:
        count: number of images.
        left: (m,) one image of each pair, 0 to count - 1.
        right: (m,) the other.

    Returns:
        (count,) the least image of the component.
    """
    parent = np.arange(count, dtype=np.int64)
    while True:
        a, b = parent[left], parent[right]
        apart = a != b
        if not apart.any():
            return parent
        left, right, a, b = left[apart], right[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(shorter := parent[parent], parent):
            parent = shorter
