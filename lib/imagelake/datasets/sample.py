"""Balanced samples: labels in, the images to keep out."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def draw(seed: int, ids: Sequence[str]) -> NDArray[np.uint64]:
    """A number for each id that looks random, and is the same wherever the same seed meets the same id.

    BLAKE2b of the id, keyed with the seed, 8 bytes.
    """
    key = str(seed).encode()
    digests = b"".join(hashlib.blake2b(i.encode(), digest_size=8, key=key).digest() for i in ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def balanced(numbers: NDArray[np.uint64], starts: Indices, classes: Indices, most: int) -> NDArray[np.bool_]:
    """Keep at most `most` images per class.

    Images are taken in the order of their numbers while all of their classes have room; so with one label per image
    every class has `most` images or all that there are. With several labels a class may end with fewer.

    Args:
        numbers: (n,) as `draw` gives them.
        starts: (n + 1,) the classes of image i are at starts[i] up to starts[i + 1] of `classes`.
        classes: class numbers.
        most: images per class.

    Returns:
        (n,) whether the image is kept; images without labels are not.
    """
    room = [most] * (int(classes.max()) + 1 if len(classes) else 0)
    first, flat = starts.tolist(), classes.tolist()
    kept = np.zeros(len(numbers), dtype=bool)
    for i in np.argsort(numbers, kind="stable").tolist():
        own = flat[first[i] : first[i + 1]]
        if own and all(room[c] for c in own):
            kept[i] = True
            for c in own:
                room[c] -= 1
    return kept
