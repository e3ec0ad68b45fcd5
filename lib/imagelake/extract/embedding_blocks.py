"""The blocks of the classical descriptor, each a function of a batch; their formulas: `embedding_descriptor`.

In: luma and chroma planes of 64 x 64 (integers). Out: float64 (n, length of the block).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALF = 64
_GRID = 4
_NODES = 5
_STEPS = 256  # fixed-point steps between two nodes of the colour lattice
_DIRECTIONS = 8
_GRADIENT_MAX = 255
_LBP_MARGIN = 3  # grey levels by which a neighbour must be brighter: less is noise of the encoder
_RING_EDGES = (2, 3, 5, 7, 9, 12, 16, 22, 30, 41, 91)
_SECTORS = 5
_DCT_SCALE = 4096

Floats = NDArray[np.float64]


def halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Sums over 2 x 2 neighbours of (n, h, w, c)."""
    rows = pixels[:, 0::2] + pixels[:, 1::2]
    return np.asarray(rows[:, :, 0::2] + rows[:, :, 1::2])


def _unit(values: Floats, floor: float) -> Floats:
    norms = np.sqrt(np.square(values).sum(axis=1, keepdims=True) + floor * floor)
    return np.asarray(values / norms)


def shares_of(counts: Floats) -> Floats:
    """Each row divided by its sum; a row without anything stays zero."""
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))


# colour


@lru_cache(maxsize=1)
def _lattice_positions() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Fixed-point place on the colour lattice: of each luma 0..4080, of each chroma -2040..2040."""
    top = (_NODES - 1) * _STEPS
    luma = np.rint(np.arange(4081) * (top / 4080.0))
    chroma = np.arange(-2040, 2041) / 2040.0
    # shifted off zero, where a square root is steepest and would magnify noise of the encoder
    shift = 0.02
    bend = (np.sqrt(np.abs(chroma) + shift) - np.sqrt(shift)) / (np.sqrt(1.0 + shift) - np.sqrt(shift))
    bent = np.rint((1.0 + np.sign(chroma) * bend) * (top / 2.0))
    return luma.astype(np.int32), bent.astype(np.int32)


def colour_histogram(planes: NDArray[np.int32]) -> Floats:
    """Joint histogram of integer planes (n, 3, 64, 64) of Y, Co, Cg: (n, 125), norm 1."""
    n = len(planes)
    of_luma, of_chroma = _lattice_positions()
    places = (of_luma[planes[:, 0]], of_chroma[2 * planes[:, 1] + 2040], of_chroma[planes[:, 2] + 2040])
    cells, shares = [], []
    for place in places:
        cell = np.minimum(place // _STEPS, _NODES - 2)
        high = place - cell * _STEPS
        cells.append(cell)
        shares.append((_STEPS - high, high))
    base = ((np.arange(n)[:, None, None] * _NODES + cells[0]) * _NODES + cells[1]) * _NODES + cells[2]
    counts = np.zeros(n * _NODES**3)
    for corner in range(8):
        y, co, cg = corner >> 2, corner >> 1 & 1, corner & 1
        weights = shares[0][y] * shares[1][co] * shares[2][cg]  # at most 2**24
        nodes = base + ((y * _NODES + co) * _NODES + cg)
        counts += np.bincount(nodes.ravel(), weights.ravel(), minlength=len(counts))
    return np.asarray(np.sqrt(shares_of(counts.reshape(n, -1))))


def colour_layout(planes: NDArray[np.int32]) -> Floats:
    """Grid of means of the planes (n, 3, 64, 64) less the global mean: (n, 48)."""
    n, cell = len(planes), _HALF // _GRID
    sums = planes.reshape(n, 3, _GRID, cell, _GRID, cell).sum(axis=(3, 5), dtype=np.int64)
    means = sums / (4080.0 * cell * cell)
    return _unit((means - means.mean(axis=(2, 3), keepdims=True)).reshape(n, -1), floor=0.05)


def colour_moments(planes: NDArray[np.int32]) -> Floats:
    """Mean, deviation and third moment of the planes (n, 3, 64, 64): (n, 9)."""
    values = planes.reshape(len(planes), 3, -1) / 4080.0
    mean = values.mean(axis=2)
    centred = values - mean[:, :, None]
    squares = centred * centred
    variance = squares.mean(axis=2)
    third = (squares * centred).mean(axis=2) / np.maximum(variance, 1e-6)
    mean[:, 0] -= 0.5  # mid-grey is the zero of luma as it is of chroma
    return _unit(np.concatenate([mean, np.sqrt(variance), third], axis=1), floor=0.1)


# gradient


@lru_cache(maxsize=1)
def _gradient_votes() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """For each gradient (gy, gx) in -255..255: its lower direction, and the votes for it and for the next."""
    axis = np.arange(-_GRADIENT_MAX, _GRADIENT_MAX + 1, dtype=np.float64)
    gy, gx = np.meshgrid(axis, axis, indexing="ij")
    length = 16.0 * np.sqrt(gx * gx + gy * gy)
    place = np.mod(np.arctan2(gy, gx), np.pi) * (_DIRECTIONS / np.pi)
    lower = np.floor(place + 1e-9)  # a direction that is exactly a bin's must not fall to the bin below
    upper_votes = np.rint(length * np.maximum(place - lower, 0.0))
    lower_votes = np.rint(length) - upper_votes
    return (
        (lower % _DIRECTIONS).astype(np.int32).ravel(),
        lower_votes.astype(np.int32).ravel(),
        upper_votes.astype(np.int32).ravel(),
    )


@lru_cache(maxsize=1)
def _tents() -> NDArray[np.int32]:
    """(64, 4): in 32nds, how much a pixel belongs to each cell of the grid along one axis."""
    cell = _HALF // _GRID
    centres = np.arange(_GRID) * 2 * cell + cell
    distance = np.abs((2 * np.arange(_HALF) + 1)[:, None] - centres[None, :])
    return np.asarray(np.maximum(2 * cell - distance, 0), np.int32)


def gradients(luma: NDArray[np.int32]) -> Floats:
    """Orientation histograms of luma (n, 64, 64), 0..4080: (n, 128)."""
    n = len(luma)
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    # luma spans 0..4080 and a central difference twice that: back to -255..255
    gx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2] + 8) // 16
    gy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1] + 8) // 16
    lower, lower_votes, upper_votes = _gradient_votes()
    width = 2 * _GRADIENT_MAX + 1
    index = (gy + _GRADIENT_MAX) * width + gx + _GRADIENT_MAX
    first = lower[index]
    maps = np.zeros((n, _DIRECTIONS, _HALF, _HALF))
    np.put_along_axis(maps, first[:, None], lower_votes[index][:, None], axis=1)
    second = (first + 1) % _DIRECTIONS
    np.put_along_axis(maps, second[:, None], upper_votes[index][:, None], axis=1)
    tents = _tents().astype(np.float64)
    cells = tents.T @ maps @ tents  # (n, 8, 4, 4), exact: integers below 2**53
    energy = cells.reshape(n, -1)
    floor = 32.0 * 32.0 * 16.0 * _HALF * _HALF  # as much as one grey level per pixel
    return np.asarray(np.sqrt(energy / (energy.sum(axis=1, keepdims=True) + floor)))


# local binary patterns


def patterns_of(luma: NDArray[np.int32], levels: int) -> Floats:
    """Counts (n, 256) of the 8-bit patterns of the inner pixels; `levels` is one grey level of this luma."""
    n, height, width = luma.shape
    centre = luma[:, 1:-1, 1:-1] + _LBP_MARGIN * levels
    codes = np.zeros(centre.shape, np.int64)
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (dy, dx) in enumerate(ring):
        neighbour = luma[:, dy : height - 2 + dy, dx : width - 2 + dx]
        codes |= (neighbour >= centre).astype(np.int64) << bit
    codes += 256 * np.arange(n)[:, None, None]
    return np.bincount(codes.ravel(), minlength=256 * n).reshape(n, 256).astype(np.float64)


def _changes(code: int) -> int:
    """How often the bits change around the circle; at most 2 in a uniform pattern."""
    return (code ^ ((code >> 1) | (code & 1) << 7)).bit_count()


@lru_cache(maxsize=1)
def uniform_bins() -> Floats:
    """(256, 59): the bin of each pattern, the last one for all that are not uniform."""
    uniform = [code for code in range(256) if _changes(code) <= 2]
    bins = np.zeros((256, 59))
    for code in range(256):
        bins[code, uniform.index(code) if code in uniform else 58] = 1.0
    return bins


@lru_cache(maxsize=1)
def invariant_bins() -> Floats:
    """(256, 10): uniform patterns by their number of ones, the last bin for all others."""
    bins = np.zeros((256, 10))
    for code in range(256):
        bins[code, code.bit_count() if _changes(code) <= 2 else 9] = 1.0
    return bins


# frequency


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """The orthonormal DCT-II matrix (64, 64) in units of 1/4096."""
    k, x = np.arange(_HALF)[:, None], np.arange(_HALF)[None, :]
    matrix = np.cos(np.pi * k * (2 * x + 1) / (2.0 * _HALF)) * np.sqrt(np.where(k == 0, 1.0, 2.0) / _HALF)
    return np.asarray(np.rint(matrix * _DCT_SCALE))


def dct(luma: NDArray[np.int32]) -> Floats:
    """Orthonormal DCT-II (n, 64, 64), rounded to whole numbers so that sums of squares stay exact."""
    cosines = _cosines()
    return np.asarray(np.rint(cosines @ luma.astype(np.float64) @ cosines.T / _DCT_SCALE**2))


def low_frequencies(spectrum: Floats) -> Floats:
    """The 63 lowest frequencies but the mean of `dct`: (n, 63), signed."""
    low = spectrum[:, :8, :8].reshape(len(spectrum), 64)[:, 1:]
    return _unit(np.sign(low) * np.sqrt(np.abs(low)), floor=64.0)


@lru_cache(maxsize=1)
def _polar_order() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frequencies of the rings, bin after bin, and where each of the 50 bins starts in that order."""
    v, u = np.divmod(np.arange(_HALF * _HALF), _HALF)
    ring = np.searchsorted(np.square(_RING_EDGES), u * u + v * v, side="right") - 1
    sector = np.minimum((np.arctan2(v, u) * (2.0 * _SECTORS / np.pi)).astype(np.int64), _SECTORS - 1)
    bins = ring * _SECTORS + sector
    order = np.flatnonzero(ring >= 0)
    order = order[np.argsort(bins[order], kind="stable")]
    return order, np.searchsorted(bins[order], np.arange((len(_RING_EDGES) - 1) * _SECTORS))


def polar_energy(spectrum: Floats) -> Floats:
    """Share of the energy of `dct` by ring and direction: (n, 50)."""
    order, starts = _polar_order()
    # sums, not a product of matrices: BLAS would start threads for it, beside those of the engine
    energy = np.add.reduceat(np.square(spectrum.reshape(len(spectrum), -1)[:, order]), starts, axis=1)
    floor = 16.0**2 * _HALF * _HALF  # the energy of noise of one grey level
    return np.asarray(np.sqrt(energy / (energy.sum(axis=1, keepdims=True) + floor)))
