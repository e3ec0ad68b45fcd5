"""Blur as digiKam has it (blur_detector.cpp), step by step: slow, and with its faults."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

_TILE_PX = 40
_EDGE = 8
_FLAT_BELOW = 10.0
_MOST_LINES_OF_SHARP = 3
_SPREAD = 0.65


def blur_digikam(bgr: NDArray[np.uint8], grey: NDArray[np.uint8]) -> float | None:
    """Share of the weighted pixels that are out of focus or in a tile that counts as moved.

    Faults kept: slopes are divided as integers, directions are averaged as if they were no circle, only the blue
    channel decides whether a tile is flat, and what does not fill a tile is always weighted and never moved.

    Args:
        bgr: uint8 (height, width, 3), blue first.
        grey: uint8 (height, width).

    Returns:
        Damage 0 to 1; None where nothing is weighted, for which the original divides by zero.
    """
    edges = cv2.Laplacian(grey, cv2.CV_32F, ksize=1)
    blurred = _defocused(edges)
    weighted = np.ones(grey.shape, bool)
    lines = np.where(edges > _EDGE, np.uint8(255), np.uint8(0))
    for top in range(0, grey.shape[0] - _TILE_PX + 1, _TILE_PX):
        for left in range(0, grey.shape[1] - _TILE_PX + 1, _TILE_PX):
            tile = np.s_[top : top + _TILE_PX, left : left + _TILE_PX]
            if bgr[tile][:, :, 0].std() < _FLAT_BELOW:
                weighted[tile] = False
            elif _is_moved(lines[tile]):
                blurred[tile] = True
    return float(blurred[weighted].mean()) if weighted.any() else None


def _defocused(edges: NDArray[np.float32]) -> NDArray[np.bool_]:
    values = np.log(np.maximum(np.abs(edges), 1)) / np.float32(math.log(30))
    smooth = cv2.medianBlur(cv2.blur(values, (5, 5)), 5)
    return np.asarray(smooth * 255 <= 115)


def _is_moved(tile: NDArray[np.uint8]) -> bool:
    """Whether more than three long lines have much the same direction."""
    found = cv2.HoughLinesP(np.ascontiguousarray(tile), 1, math.pi / 900, threshold=15, minLineLength=30, maxLineGap=10)
    if found is None or len(found) <= _MOST_LINES_OF_SHARP:
        return False
    return bool(np.std([_direction(*line) for line in found.reshape(-1, 4).tolist()]) < _SPREAD)


def _direction(x1: int, y1: int, x2: int, y2: int) -> float:
    width, height = x2 - x1, y2 - y1
    angle = math.pi / 2 if width == 0 else math.atan(int(height / width))
    if angle < 0:
        return angle + math.pi
    return math.pi - angle if angle < math.pi / 20 else angle
