"""Damage by compression: pixels come in, the weighted share of areas of one colour and of edges in them goes out.

After digiKam, compression_detector.cpp. A pixel is flat when it equals the median of its 5 x 5 neighbours in every
channel; it lies on an edge when the grey value drops by at least 2 more than on either side of it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_FLAT_WEIGHT = 10
_EDGE_WEIGHT = 2
_EDGE_STEP = 2
_REACH = 2


def compression(rgb: NDArray[np.uint8], grey: NDArray[np.uint8]) -> float | None:
    """Damage 0 to 1: flat pixels count ten times, edges in flat areas twice more, all others once.

    Args:
        rgb: uint8 (height, width, 3), channels in any order.
        grey: uint8 (height, width) of the same picture.

    Returns:
        None where every pixel is flat: a picture of one colour or a smooth gradient says nothing about compression.
    """
    flat, edges = _counts(rgb, grey)
    if flat == grey.size:
        return None
    damaged = _FLAT_WEIGHT * flat + _EDGE_WEIGHT * edges
    return damaged / (damaged + grey.size - flat)  # every edge counted is flat: the others are all that is not


def compression_digikam(rgb: NDArray[np.uint8], grey: NDArray[np.uint8]) -> float:
    """The same as the original counts it: twice the edges, and not the flat pixels, are taken off the others."""
    flat, edges = _counts(rgb, grey)
    damaged = _FLAT_WEIGHT * flat + _EDGE_WEIGHT * edges
    return damaged / (damaged + grey.size - _EDGE_WEIGHT * edges)


def _counts(rgb: NDArray[np.uint8], grey: NDArray[np.uint8]) -> tuple[int, int]:
    """Number of flat pixels, and of those that lie on an edge too."""
    is_flat = _flat(rgb)
    return int(np.count_nonzero(is_flat)), int(np.count_nonzero(is_flat & _on_edge(grey)))


def _flat(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a pixel equals its median in all channels; borders are replicated."""
    equal = cv2.compare(cv2.medianBlur(rgb, 2 * _REACH + 1), rgb, cv2.CMP_EQ)
    return np.asarray(cv2.cvtColor(equal, cv2.COLOR_RGB2GRAY) == 255)


def _on_edge(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where there are edges along rows or columns, none of them within two pixels of the border."""
    found = np.zeros(grey.shape, bool)
    if grey.shape[1] > 2 * _REACH:
        drops, rises = cv2.subtract(grey[:, :-1], grey[:, 1:]), cv2.subtract(grey[:, 3:], grey[:, :-3])
        found[:, 2:-2] = _edges(drops[:, 1:-2], drops[:, 2:-1], rises[:, :-1])
    if grey.shape[0] > 2 * _REACH:
        drops, rises = cv2.subtract(grey[:-1], grey[1:]), cv2.subtract(grey[3:], grey[:-3])
        found[2:-2] |= _edges(drops[1:-2], drops[2:-1], rises[:-1])
    return found


def _edges(before: NDArray[np.uint8], drop: NDArray[np.uint8], rise: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a drop is 2 more than the one before and than the rise from two pixels before to the one behind."""
    return np.asarray(cv2.subtract(drop, cv2.max(before, rise)) >= _EDGE_STEP)
