"""What the tiles of a picture hold: deviations of grey values, directions of gradients, shares of a mask."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_ROWS = 10  # of each tile, evenly spread, are looked at for statistics: 400 values of 40 x 40 pixels


class TileStatistics(NamedTuple):
    """Of ten rows of each tile, (tiles down, tiles across).

    Attributes:
        deviation: standard deviation of the grey values.
        beside_plane: the same of what is left when the plane that fits best is taken off.
        direction: complex: twice the angle of the gradients as its argument, their coherence 0 to 1 as its modulus
            (0 where there is no gradient), from the structure tensor.
    """

    deviation: NDArray[np.float64]
    beside_plane: NDArray[np.float64]
    direction: NDArray[np.complex128]


class Tiles:
    """A grid that covers the whole picture, every tile of nearly the same size.

    Args:
        shape: height and width of the picture, in pixels.
        side_px: the side of a tile, as nearly as the picture allows.

    Attributes:
        pixels: number of pixels of each tile, int64 (tiles down, tiles across).
    """

    def __init__(self, shape: tuple[int, ...], side_px: int) -> None:
        self._starts = [_starts(side, side_px) for side in shape[:2]]
        self._sides = [np.diff(starts, append=side) for starts, side in zip(self._starts, shape[:2], strict=True)]
        self.pixels = np.outer(*self._sides)

    def means(self, values: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Means of uint8 (height, width) over each tile."""
        corners = np.ix_(*(np.append(starts, side) for starts, side in zip(self._starts, values.shape, strict=True)))
        sums: NDArray[np.int32] = cv2.integral(values)[corners]
        return np.diff(np.diff(sums, axis=0), axis=1) / self.pixels

    def statistics(self, grey: NDArray[np.uint8]) -> TileStatistics:
        """Deviations and directions of uint8 (height, width), 5 px a side or more."""
        count = min(_ROWS, int(self._sides[0].min()))
        places = self._starts[0][:, None] + (np.arange(count) + 0.5) * self._sides[0][:, None] // count
        rows = places.astype(np.int64).ravel()
        down = (places - places.mean(axis=1, keepdims=True)).ravel()
        across = np.concatenate([_centred(side) for side in self._sides[1]])
        columns = _products(grey, rows, down).reshape(6, -1, count, grey.shape[1]).sum(axis=2).astype(np.float64)
        columns = np.concatenate([columns, columns[:1] * across])
        sums, squares, slope_down, along, upright, crossed, slope_across = np.add.reduceat(
            columns, self._starts[1], axis=2
        )
        pixels = count * self._sides[1]
        variance = (squares - sums**2 / pixels) / pixels
        squares_down = (down.reshape(-1, count) ** 2).sum(axis=1)
        plane = _ratio(slope_down**2, np.outer(squares_down, self._sides[1]))
        plane += _ratio(slope_across**2, count * self._sides[1] * (self._sides[1] ** 2 - 1) / 12)
        deviation, beside = (np.sqrt(np.maximum(v, 0)) for v in (variance, variance - plane / pixels))
        direction = _ratio(along - upright, along + upright) + 2j * _ratio(crossed, along + upright)
        return TileStatistics(deviation, beside, direction)


def _products(grey: NDArray[np.uint8], rows: NDArray[np.int64], down: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is summed over tiles, of each pixel of some rows, in one array: threads wait for each other at every call.

    The value, its square, the value times `down`; the squares of the central differences along and across the rows, and
    their product (one-sided at the upper and lower border, 0 at the ends of rows): float32 (6, rows, width).
    """
    products = np.zeros((6, len(rows), grey.shape[1]), np.float32)
    value, square, weighted, along, upright, crossed = products
    here, below, above = grey[rows], grey[(rows + 1).clip(max=len(grey) - 1)], grey[(rows - 1).clip(0)]
    np.copyto(value, here)
    np.multiply(value, value, out=square)
    np.multiply(value, down[:, None].astype(np.float32), out=weighted)
    np.subtract(value[:, 2:], value[:, :-2], out=along[:, 1:-1])
    cv2.subtract(below, above, upright, dtype=cv2.CV_32F)
    np.multiply(along, upright, out=crossed)
    products[3:5] *= products[3:5]
    return products


def _starts(length: int, side_px: int) -> NDArray[np.int64]:
    count = max(1, round(length / side_px))
    return np.arange(count) * length // count


def _centred(side: int) -> NDArray[np.float64]:
    """Places in a tile, from its middle: they add up to zero."""
    return np.arange(side, dtype=np.float64) - (side - 1) / 2


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.broadcast_to(below, above.shape)
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
