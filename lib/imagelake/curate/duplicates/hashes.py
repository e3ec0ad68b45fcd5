"""The perceptual layer: 64-bit hashes in, pairs that look alike out, flips and quarter turns included; exact.

Hashes come as uint64 (n, 3): phash, dhash, dhash_vertical, as docs/hashes.md defines them. Two pictures are alike
within d bits when, in one of the eight orientations, their pHashes differ in at most d of 64 bits and their dHashes,
both together, in at most 18 of 128: an equal pHash alone is no proof. Pictures of which it says nothing are left out.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.hamming import hamming_join, hamming_pairs

Hashes = NDArray[np.uint64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int8]]

ORIENTATIONS = 8
CHECK_BITS = 18  # of both dHashes: as measured in docs/duplicates.md, the most at which other shots do not pass
# A photograph has half of the 64 signs set (7 or fewer in one of 10^11 at random); one colour, a ramp, a blank page
# with a line on it have next to none.
MIN_BITS_SET = 8
INVERSE = np.array([0, 1, 2, 3, 4, 5, 8, 7, 6], np.int8)  # of an EXIF orientation, by number
_ODD_COLUMNS, _ODD_ROWS = np.uint64(0x5555555555555555), np.uint64(0x00FF00FF00FF00FF)
_SWAPS = ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))
_MIRRORS = ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F))


def has_information(hashes: Hashes) -> NDArray[np.bool_]:
    """Whether the hashes tell a picture from others: bool (n,)."""
    enough = np.bitwise_count(hashes[:, 0]) >= MIN_BITS_SET
    return np.asarray(enough & ((hashes[:, 1] != 0) | (hashes[:, 2] != 0)))


def turned(hashes: Hashes, orientation: int) -> Hashes:
    """The hashes (n, 3) of the same pictures turned as an EXIF orientation, 1 to 8, asks for.

    Equal to `dihedral_variants` and `dihedral_variants_dhash` of the extractor.
    """
    phash, across, down = hashes.T
    if orientation > 4:
        phash, across, down = _transposed(phash), _transposed(down), _transposed(across)
    step = (orientation - 1) % 4
    if step in (1, 2):  # mirrored left to right
        phash, across, down = phash ^ _ODD_COLUMNS, ~_columns_reversed(across), _columns_reversed(down)
    if step in (2, 3):  # mirrored top to bottom
        phash, across, down = phash ^ _ODD_ROWS, across.byteswap(), ~down.byteswap()
    return np.stack([phash, across, down], axis=1)


def bits_apart(first: Hashes, second: Hashes, max_bits: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """How the pictures of each row differ.

    Args:
        first: hashes (n, 3).
        second: hashes (n, 3); row i is compared with row i of `first`.
        max_bits: d of the module's rule.

    Returns:
        Differing bits of the pHashes, 255 where the rule does not hold, and how `second` is turned against `first` as
        an EXIF orientation, 0 where it does not hold. Of several orientations that with the fewest bits.
    """
    best = np.full(len(first), 255 * 256, np.int32)  # pHash bits, then dHash bits
    orientation = np.zeros(len(first), np.int8)
    for k in range(1, ORIENTATIONS + 1):
        differing = np.bitwise_count(turned(first, k) ^ second)
        bits, checked = differing[:, 0].astype(np.int32), differing[:, 1:].sum(axis=1, dtype=np.int32)
        key = bits * 256 + checked
        better = (bits <= max_bits) & (checked <= CHECK_BITS) & (key < best)
        best[better], orientation[better] = key[better], k
    return (best // 256).astype(np.uint8), orientation


def least_bits(first: Hashes, second: Hashes) -> NDArray[np.uint8]:
    """The least d at which the pictures of each row are alike: uint8 (n,); 64 where their dHashes differ too much."""
    best = np.full(len(first), 64, np.uint8)
    for k in range(1, ORIENTATIONS + 1):
        differing = np.bitwise_count(turned(first, k) ^ second)
        checked = differing[:, 1] + differing[:, 2] <= CHECK_BITS
        best = np.where(checked, np.minimum(best, differing[:, 0]), best)
    return best


def pairs_alike(hashes: Hashes, max_bits: int) -> Pairs:
    """All pairs that are alike.

    Args:
        hashes: (n, 3), every row only once.
        max_bits: d of the module's rule, 0 to 64.

    Returns:
        i, j (i < j), bits and orientation as of `bits_apart`, sorted by i, j. Every pair is found.
    """
    phashes, place = np.unique(hashes[:, 0], return_inverse=True)
    found = [
        _confirmed(hashes, _expanded(place, first, second), k)
        for k, first, second in _pairs_of_phashes(phashes, max_bits)
    ]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    i, j = pairs[:, 0], pairs[:, 1]
    bits, orientation = bits_apart(hashes[i], hashes[j], max_bits)
    return i, j, bits, orientation


def _pairs_of_phashes(
    phashes: NDArray[np.uint64], max_bits: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """By orientation, the pairs of distinct pHashes within `max_bits`, each with itself included."""
    first, second, _ = hamming_pairs(phashes, max_bits)
    same = np.arange(len(phashes))
    yield 1, np.concatenate([first, same]), np.concatenate([second, same])
    # 8 undoes 6: the same pairs the other way round. One join of all others costs less than one each.
    orientations = (2, 3, 4, 5, 6, 7)
    upright = np.stack([phashes] * 3, axis=1)
    queries = np.concatenate([turned(upright, k)[:, 0] for k in orientations])
    first, second, _ = hamming_join(queries, phashes, max_bits)
    for number, k in enumerate(orientations):
        mine = first // max(1, len(phashes)) == number
        yield k, first[mine] % len(phashes), second[mine]


def _expanded(place: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of distinct pHashes -> pairs of the rows that have them, (m, 2)."""
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=1)
    starts = np.cumsum(counts) - counts
    sizes = counts[first] * counts[second]
    which = np.repeat(np.arange(len(first)), sizes)
    within = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    width = counts[second][which]
    left, right = starts[first][which] + within // width, starts[second][which] + within % width
    return np.stack([order[left], order[right]], axis=1)


def _confirmed(hashes: Hashes, rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    rows = rows[rows[:, 0] != rows[:, 1]]
    differing = np.bitwise_count(turned(hashes[rows[:, 0]], k)[:, 1:] ^ hashes[rows[:, 1], 1:])
    return np.asarray(rows[differing.sum(axis=1, dtype=np.int32) <= CHECK_BITS])


def _transposed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """8 x 8 bits transposed by three rounds of swaps (Warren, "Hacker's Delight", 2nd edition, section 7-3)."""
    for shift, mask in _SWAPS:
        swap = (value ^ value >> np.uint64(shift)) & np.uint64(mask)
        value = value ^ swap ^ swap << np.uint64(shift)
    return value


def _columns_reversed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, mask in _MIRRORS:
        value = (value >> np.uint64(shift) & np.uint64(mask)) | (value & np.uint64(mask)) << np.uint64(shift)
    return value
