"""Damage by noise: grey values come in, the variance of the noise is estimated and mapped to 0..1.

Pan, Zhang and Lyu, "Exposing Region Splicing Forgeries with Blind Local Noise Estimation" (IJCV 110, 2014): the
kurtosis of band-pass responses is about the same in all bands of a natural picture, and white noise lowers it the more,
the less variance the band has. Fitted over 15 bands, that gives the variance of the noise.
"""

import math
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", NDArray[np.int16], NDArray[np.float64])
# Rows 1 to 3 of the 4 x 4 Haar-like basis, as in digiKam. The fourth is the third moved by two pixels: its responses
# are the same ones at other places.
_ROWS = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, -0.5, -0.5], [0.7071, -0.7071, 0.0, 0.0]])
_SIGNS = np.sign(_ROWS)
_BANDS = [(across, down) for across in range(4) for down in range(4)][1:]
_POWERS = np.array([1, 2, 4])
_TAPS = 4
_MIDDLE, _WIDTH = 18.0, 7.0  # of the logistic function that maps the variance to damage (digiKam)
_GAUSSIAN = 0.15  # mean root of the excess kurtosis below which there is nothing but noise


def noise(grey: NDArray[np.uint8]) -> float | None:
    """Damage 0 to 1; 0.07 without noise, 0.5 at a variance of 18 (grey values of 0 to 255).

    The 15 filters of the original are 8 up to a shift, which changes what they see of the border, and no more: of
    n columns with replicated borders, n - 2 differ from the next for the third row of the basis, n - 1 for the fourth.

    Args:
        grey: uint8 (height, width).

    Returns:
        None where the picture has fewer than 4 pixels a side, or a band without any variance.
    """
    if min(grey.shape) < _TAPS:
        return None
    mean, m2, m4 = _moments(grey).T
    # The fourth central moment without the skewness beside the mean, which would take a pass over all pixels: a
    # response has a mean only where the whole picture grows brighter to one side, and is small beside its deviation.
    return _damage(m2 - mean**2, m4 - 6 * mean**2 * m2 + 5 * mean**4)


def noise_digikam(grey: NDArray[np.uint8]) -> float | None:
    """The same with 15 filters in double precision over the picture with replicated borders."""
    rows = [*_ROWS, np.roll(_ROWS[2], 2)]
    values = grey.astype(np.float64)
    found = []
    for kernel in [np.outer(down, across) for down in rows for across in rows][1:]:
        response = cv2.filter2D(values, cv2.CV_64F, kernel, borderType=cv2.BORDER_REPLICATE)
        squares = response * response
        m1, m2, m3, m4 = response.mean(), squares.mean(), (squares * response).mean(), (squares * squares).mean()
        found.append((m2 - m1**2, m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4))
    variance, fourth = np.array(found).T
    return _damage(variance, fourth, gaussian=0.0)


def _moments(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean, second and fourth moment of the responses: (15, 3), bands as in _BANDS."""
    height, width = grey.shape
    means = _sums_of_powers(grey) / grey.size
    moments = np.empty((len(_BANDS), 3))
    for band, (i, j) in enumerate(_BANDS):
        across, down = min(i, 2), min(j, 2)
        more = (width - 1) / (width - 2) if i > across else 1.0
        more *= (height - 1) / (height - 2) if j > down else 1.0
        moments[band] = means[across, down] * (_ROWS[across, 0] * _ROWS[down, 0]) ** _POWERS * more
    return moments


def _sums_of_powers(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sums of first, second and fourth powers for the signs of three rows across and down: (3, 3, 3).

    Signs keep responses within 16 bits, which halves the time. OpenCV's norm adds up in double precision and, unlike
    `np.vecdot`, lets other threads go on.
    """
    height, width = grey.shape
    powers = np.zeros((3, 3, len(_POWERS)))
    powers[:, :, 0] = _linear(grey)
    bordered = cv2.copyMakeBorder(grey, 2, 1, 0, 0, cv2.BORDER_REPLICATE)
    values, pairs, response = (np.empty((height + more, width), np.int16) for more in (3, 2, 0))
    squares = np.empty((height, width), np.float32)
    for i, signs in enumerate(_SIGNS):
        cv2.filter2D(bordered, cv2.CV_16S, signs[None], dst=values, borderType=cv2.BORDER_REPLICATE)
        np.add(values[:-1], values[1:], out=pairs)
        for j in range(0 if i else 1, 3):
            np.copyto(squares, _down(j, values, pairs, response))
            np.square(squares, out=squares)
            powers[i, j, 1:] = cv2.norm(response, cv2.NORM_L2SQR), cv2.norm(squares, cv2.NORM_L2SQR)
    return powers


def _linear(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sums of the responses (3, 3): what is linear can be summed before it is filtered."""
    height, _ = grey.shape
    first, second_last, last = (grey[:, i].astype(np.float64) for i in (0, -2, -1))
    moved = np.array([2 * first - second_last - last, first - last, 0 * first, last - first])  # by -2 to 1 columns
    totals = _SIGNS @ (moved + cv2.reduce(grey, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel())
    totals = totals[:, np.arange(-2, height + 1).clip(0, height - 1)].T
    pairs = totals[:-1] + totals[1:]
    sums = [_down(j, totals, pairs, np.empty((height, 3))).sum(axis=0) for j in range(3)]
    return np.stack(sums, axis=1)


def _down(kernel: int, values: Numbers, pairs: Numbers, out: Numbers) -> Numbers:
    """The signs of one row of the basis, down the columns; `pairs` are sums of two rows of `values`."""
    if kernel == 0:
        np.add(pairs[:-2], pairs[2:], out=out)
    elif kernel == 1:
        np.subtract(pairs[:-2], pairs[2:], out=out)
    else:
        np.subtract(values[: len(out)], values[1 : len(out) + 1], out=out)
    return out


def _damage(variance: NDArray[np.float64], fourth: NDArray[np.float64], gaussian: float = _GAUSSIAN) -> float | None:
    """Equations 5 and 10 of the paper, written with one division, from central moments of the bands."""
    if variance.min() <= 1e-9:
        return None
    kurtosis = fourth / variance**2 - 3
    root = np.sqrt(np.maximum(kurtosis, 0))
    a, b, c, d = root.mean(), (1 / variance).mean(), (1 / variance**2).mean(), (root / variance).mean()
    if a <= gaussian:  # where every band is Gaussian, all of its variance is noise, and the fit has no solution
        return _logistic(1 / b)
    below = a * c - b * d
    return _logistic((a * b - d) / below) if below else None


def _logistic(variance: float) -> float:
    return 1 / (1 + math.exp(min(-(variance - _MIDDLE) / _WIDTH, 700.0)))
