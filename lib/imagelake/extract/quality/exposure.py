"""Damage by exposure: the histogram of the grey values comes in, a share of clipped pixels goes out."""

import numpy as np
from numpy.typing import NDArray

# (from, to, weight): grey values in from..to-1 that are clipped, and those that are nearly so
_OVER = ((245, 256, 15), (235, 245, 1))
_UNDER = ((0, 15, 15), (15, 30, 6))
_WHITE = 255


def exposure(histogram: NDArray[np.int64], *, white_is_clipped: bool = True) -> float:
    """The greater of over- and underexposure, each the weighted share of pixels at that end of the scale.

    Args:
        histogram: how many pixels have each grey value (256,); at least one pixel.
        white_is_clipped: whether the value 255 counts as overexposed. In digiKam it does not, so that a picture of
            pure white is well exposed.

    Returns:
        Damage 0 to 1 (digiKam, exposure_detector.cpp).
    """
    over = histogram if white_is_clipped else np.where(np.arange(256) == _WHITE, 0, histogram)
    pixels = int(histogram.sum())
    return max(_share(over, pixels, _OVER), _share(histogram, pixels, _UNDER))


def _share(histogram: NDArray[np.int64], pixels: int, ends: tuple[tuple[int, int, int], ...]) -> float:
    counts = [int(histogram[low:high].sum()) for low, high, _ in ends]
    weighted = sum(count * weight for count, (_, _, weight) in zip(counts, ends, strict=True))
    return weighted / (pixels - sum(counts) + weighted)
