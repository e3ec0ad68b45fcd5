"""Damage by blur: which judged pixels lie where nothing is sharp, out of focus or smeared by motion.

The map of defocus and its constants are digiKam's (blur_detector.cpp): the logarithm of the absolute Laplacian,
averaged over 5 x 5 pixels, and a median. What is judged, and the search for motion, differ between the methods.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from imagelake.extract.quality.tiles import Tiles

TILE_PX = 40
_BOX = (5, 5)
_HALF_OF_BOX = 13  # of 25: what most of them are is what their median is, for a threshold keeps the order
_UNIT = 150  # of the logarithms, so that they fit into 8 bits
_LOGARITHMS = np.rint(np.log(np.maximum(np.arange(256), 1)) / math.log(30) * _UNIT).astype(np.uint8)
_BLURRED_TO = int(115 / 255 * _UNIT * 25)
_FLAT_BELOW = 10.0  # standard deviation of grey values in a tile without content
_PLANE_BELOW = 3.0  # and of what is left when a plane is taken off: a gradient has no edges to judge
_ALIGNED = 0.7
_COMMON = 0.6


def blur(grey: NDArray[np.uint8]) -> float | None:
    """Share of the judged pixels that are out of focus or in a tile smeared by motion.

    Judged are tiles of about 40 x 40 pixels with content: a standard deviation of 10 at least, and of 3 beside the
    plane that fits best. Tiles of one colour, smooth gradients and faint texture say nothing about sharpness.

    Motion blur lowers the Laplacian, so that most of it is in the map of defocus already. What that misses is texture
    so strong that its streaks stay visible. Those all lie in one direction, which is seen in the structure tensors of
    the tiles (Bigun and Granlund 1987): where their mean, each scaled to trace 1, is at least 0.6 coherent, tiles
    aligned with it by 0.7 are smeared. Vertical and horizontal edges of a sharp scene cancel out in that mean.
    Something that moves before a scene at rest is not found.

    Args:
        grey: uint8 (height, width), 1024 pixels on the longest side for the constants to hold.

    Returns:
        Damage 0 to 1; None where no tile can be judged.
    """
    if min(grey.shape) < _BOX[0]:
        return None
    tiles = Tiles(grey.shape, TILE_PX)
    found = tiles.statistics(grey)
    judged = (found.deviation >= _FLAT_BELOW) & (found.beside_plane >= _PLANE_BELOW)
    if not judged.any():
        return None
    blurred = tiles.means(_defocused(grey))
    blurred[_smeared(found.direction, judged)] = 1.0
    return float(np.average(blurred[judged], weights=tiles.pixels[judged]))


def _defocused(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 where a pixel is out of focus. Logarithms are whole 150ths; values above 255 are as sharp as can be."""
    logarithms = cv2.LUT(cv2.convertScaleAbs(cv2.Laplacian(grey, cv2.CV_16S, ksize=1)), _LOGARITHMS)
    sums = cv2.boxFilter(logarithms, cv2.CV_16U, _BOX, normalize=False)
    votes = cv2.boxFilter(
        (sums <= _BLURRED_TO).view(np.uint8), cv2.CV_8U, _BOX, normalize=False, borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(votes >= _HALF_OF_BOX).view(np.uint8)


def _smeared(direction: NDArray[np.complex128], judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Judged tiles whose gradients lie in the one direction of the whole picture, where it has one."""
    common = direction[judged].mean()
    if abs(common) < _COMMON:
        return np.zeros(judged.shape, bool)
    return np.asarray(judged & ((direction * common.conj()).real >= _ALIGNED * abs(common)))
