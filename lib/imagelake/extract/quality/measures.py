"""Raw measures of a picture, for thresholds in SQL: cheap, and each defined in docs/quality.md."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_OPPONENTS = np.array([[1, -1, 0], [0.5, 0.5, -1]], np.float32)  # red - green, yellow - blue
_EVERY = 4
_GREY_TOLERANCE = 8
_GREY_SHARE = 0.999
_LOW_ENTROPY_BITS = 3.0
_LOW_CONTRAST = 0.05


class Measures(NamedTuple):
    """The columns of table `quality` beside the damages; units there."""

    sharpness: float | None
    brightness: float
    brightness_p5: float
    brightness_p95: float
    contrast: float
    entropy_bits: float
    colourfulness: float
    is_grey: bool
    is_low_information: bool


def measures(rgb: NDArray[np.uint8], grey: NDArray[np.uint8], histogram: NDArray[np.int64]) -> Measures:
    """All of them.

    Args:
        rgb: uint8 (height, width, 3), red first.
        grey: uint8 (height, width) of the same picture.
        histogram: `grey_histogram(grey)`.
    """
    pixels = histogram.sum()
    shares = histogram / pixels
    values = np.arange(256) / 255
    brightness = float(shares @ values)
    variance = max(0.0, float(shares @ (values - brightness) ** 2))
    entropy = _entropy_bits(shares)
    cumulative = np.cumsum(shares)
    colourfulness, is_grey = _colour(rgb)
    return Measures(
        sharpness=_variance_of_laplacian(grey) / (variance * 255**2) if np.count_nonzero(histogram) > 1 else None,
        brightness=min(brightness, 1.0),
        brightness_p5=_percentile(cumulative, 0.05),
        brightness_p95=_percentile(cumulative, 0.95),
        contrast=variance**0.5,
        entropy_bits=entropy,
        colourfulness=colourfulness,
        is_grey=is_grey,
        is_low_information=entropy < _LOW_ENTROPY_BITS and variance**0.5 < _LOW_CONTRAST,
    )


def grey_histogram(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each grey value: int64 (256,)."""
    counts: NDArray[np.float32] = cv2.calcHist([grey], [0], None, [256], [0, 256])
    return counts.ravel().astype(np.int64)  # exact: a float32 holds whole numbers up to 16 million


def _variance_of_laplacian(grey: NDArray[np.uint8]) -> float:
    """Of every fourth row; rows and columns beyond the border are those at the border."""
    rows, last = np.arange(0, len(grey), _EVERY), len(grey) - 1
    here = cv2.copyMakeBorder(grey[rows], 0, 0, 1, 1, cv2.BORDER_REPLICATE).astype(np.int16)
    edges = here[:, :-2] + here[:, 2:]
    edges += grey[(rows - 1).clip(0)]
    edges += grey[(rows + 1).clip(max=last)]
    edges -= 4 * here[:, 1:-1]
    mean = cv2.mean(edges)[0]
    return max(0.0, float(cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - mean**2))


def _percentile(cumulative: NDArray[np.float64], share: float) -> float:
    """The lowest value that at least this share of the pixels does not exceed."""
    return int(np.searchsorted(cumulative, share - 1e-12)) / 255


def _entropy_bits(shares: NDArray[np.float64]) -> float:
    present = shares[shares > 0]
    return max(0.0, min(8.0, float(-(present @ np.log2(present)))))


def _colour(rgb: NDArray[np.uint8]) -> tuple[float, bool]:
    """Colourfulness (Hasler and Suesstrunk 2003, section 6) and whether there is no colour.

    Of one pixel in 4 x 4: that is enough for both.
    """
    size = [max(1, side // _EVERY) for side in (rgb.shape[1], rgb.shape[0])]
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST)
    channels = cv2.split(small)
    difference = cv2.subtract(
        cv2.max(cv2.max(*channels[:2]), channels[2]), cv2.min(cv2.min(*channels[:2]), channels[2])
    )
    is_grey = np.count_nonzero(difference <= _GREY_TOLERANCE) >= _GREY_SHARE * difference.size
    opponents = cv2.transform(small.astype(np.float32), _OPPONENTS)
    means, deviations = cv2.meanStdDev(opponents)
    return float(np.linalg.norm(deviations) + 0.3 * np.linalg.norm(means)), bool(is_grey)
