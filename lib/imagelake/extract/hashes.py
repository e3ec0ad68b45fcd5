"""Fingerprints of a picture: decoded pixels come in, one exact digest and three 64-bit perceptual hashes go out.

docs/hashes.md holds the definitions and published test vectors. The perceptual hashes are signed 64-bit integers,
as a `bigint` column stores them: bit 63, the sign, is the first bit of row 0.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagelake.image.colour import strips

VERSION = 1

GREY_SIDE_PX = 48
_MASK = (1 << 64) - 1
_ODD_COLUMNS = 0x5555555555555555
_ODD_ROWS = 0x00FF00FF00FF00FF
# A coefficient of 8-bit pixels that is zero in theory comes out below 1e-9; a real one below this is no fact either.
_ZERO = 1e-6


class PerceptualHashes(NamedTuple):
    """The three 64-bit hashes of one picture, as signed integers."""

    phash: int
    dhash: int
    dhash_vertical: int


def pixel_hash(native: Image.Image) -> str:
    """Digest the decoded pixels in their native mode; equal for equal pixels, whatever file they came in.

    Only the bytes count: neither the mode nor the shape is hashed, so that the digest equals `hash_id` of the image
    tagging tools.

    Args:
        native: the first frame, as `PIL.Image.open(...).load()` gives it.

    Returns:
        BLAKE2b-512 of `native.tobytes()`: 128 lower-case hexadecimal digits.
    """
    digest = hashlib.blake2b()
    for _, strip in strips(native):  # strips: a 200-megapixel picture must not be copied as a whole
        digest.update(strip.tobytes())
    return digest.hexdigest()


def grey_image(rgb: Image.Image) -> Image.Image:
    """The grey image that the three perceptual hashes share.

    Args:
        rgb: an upright RGB image; `Picture.small` for the hashes that are stored.

    Returns:
        Mode "L" by ITU-R BT.601 luma, averaged over boxes by the largest power of two that leaves both sides at
        48 px or more.
    """
    factor = 1
    while min(rgb.size) // (2 * factor) >= GREY_SIDE_PX:
        factor *= 2
    grey = rgb.convert("L")
    return grey if factor == 1 else grey.reduce(factor)


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """Rows 0 to 8 of the type-II discrete cosine transform of 32 points, without normalisation: shape (9, 32)."""
    k, n = np.arange(9)[:, None], np.arange(32)[None, :]
    table: NDArray[np.float64] = np.cos(np.pi / 64 * k * (2 * n + 1))
    return table


def phash(grey: Image.Image) -> int:
    """64 signs of the picture's lowest frequencies; equal to itself under scaling and recompression, mostly.

    Bit (v, u) is set where the 2-D DCT-II coefficient of vertical frequency v and horizontal frequency u, 0 to 7, of
    the image at 32 x 32 pixels is positive; place (0, 0) holds coefficient (8, 8) in the mean's stead. After Zauner,
    "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1, with zero for the
    median, so that the hashes of the flipped and turned picture follow from this one (`dihedral_variants`).

    Args:
        grey: mode "L", any size.

    Returns:
        A signed 64-bit integer, rows first, most significant bit first. A picture of one colour has 0.
    """
    pixels = np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64)
    cosines = _cosines()
    coefficients = cosines @ pixels @ cosines.T
    coefficients[0, 0] = coefficients[8, 8]
    return _pack(coefficients[:8, :8] > _ZERO)


def dhash(grey: Image.Image) -> int:
    """64 signs of horizontal differences: bit (y, x) is set where pixel (y, x + 1) is brighter than (y, x).

    Krawetz, "Kind of Like That" (2013); equal to `imagehash.dhash(grey, hash_size=8)`.

    Args:
        grey: mode "L", any size; it is resampled to 9 x 8 pixels.

    Returns:
        A signed 64-bit integer, rows first, most significant bit first.
    """
    pixels = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS))
    return _pack(pixels[:, 1:] > pixels[:, :-1])


def dhash_vertical(grey: Image.Image) -> int:
    """The same of vertical differences, at 8 x 9 pixels; equal to `imagehash.dhash_vertical(grey, hash_size=8)`."""
    pixels = np.asarray(grey.resize((8, 9), Image.Resampling.LANCZOS))
    return _pack(pixels[1:, :] > pixels[:-1, :])


def perceptual_hashes(rgb: Image.Image) -> PerceptualHashes:
    """All three perceptual hashes of an upright RGB image (`Picture.small`), from one shared grey image."""
    grey = grey_image(rgb)
    return PerceptualHashes(phash(grey), dhash(grey), dhash_vertical(grey))


def hamming(a: int, b: int) -> int:
    """Number of differing bits of two 64-bit hashes, signed or unsigned: 0 to 64."""
    return ((a ^ b) & _MASK).bit_count()


def to_hex(value: int) -> str:
    """Write a 64-bit hash, signed or unsigned, as 16 lower-case hexadecimal digits."""
    return f"{value & _MASK:016x}"


def from_hex(digits: str) -> int:
    """Read 16 hexadecimal digits as the signed integer that the tables store.

    Raises:
        ValueError: not 16 hexadecimal digits.
    """
    return int.from_bytes(_eight_bytes(digits), "big", signed=True)


def _eight_bytes(digits: str) -> bytes:
    raw = bytes.fromhex(digits)
    if len(raw) != 8 or len(digits) != 16:
        raise ValueError(f"a 64-bit hash has 16 hexadecimal digits, not {digits!r}")
    return raw


def dihedral_variants(value: int) -> tuple[int, ...]:
    """The pHashes of the eight flips and turns of a picture, from the pHash of the picture alone.

    A flip multiplies coefficient (v, u) by (-1)^u or (-1)^v, a transposition swaps u and v, and (8, 8) stays itself.

    Args:
        value: pHash, signed.

    Returns:
        Eight signed hashes; number k - 1 is that of the picture turned as EXIF orientation k asks for: as it is,
        mirrored left to right, turned by 180 degrees, mirrored top to bottom, transposed, turned clockwise,
        transversed, turned counter-clockwise.
    """
    upright = value & _MASK
    both = _ODD_COLUMNS ^ _ODD_ROWS
    turned = _transpose(upright)
    masks = (0, _ODD_COLUMNS, both, _ODD_ROWS)
    first = tuple(upright ^ mask for mask in masks)
    second = tuple(turned ^ mask for mask in masks)
    return tuple(_signed(v) for v in (*first, *second))


def dihedral_variants_dhash(dhash: int, dhash_vertical: int) -> tuple[tuple[int, int], ...]:
    """The (dhash, dhash_vertical) pairs of the eight flips and turns, in the order of `dihedral_variants`.

    A mirror image turns "brighter than" around; two equal neighbours count as "not brighter" both ways, so pictures
    with flat areas differ from this by one bit per pair of equal neighbours.
    """
    horizontal, vertical = dhash & _MASK, dhash_vertical & _MASK
    pairs: list[tuple[int, int]] = []
    for x, y in ((horizontal, vertical), (_transpose(vertical), _transpose(horizontal))):
        mirrored = _reverse_columns(x) ^ _MASK, _reverse_columns(y)
        pairs += [(x, y), mirrored, _flip_rows(mirrored), _flip_rows((x, y))]
    return tuple((_signed(x), _signed(y)) for x, y in pairs)


def _flip_rows(pair: tuple[int, int]) -> tuple[int, int]:
    return _reverse_rows(pair[0]), _reverse_rows(pair[1]) ^ _MASK


def _reverse_rows(value: int) -> int:
    return int.from_bytes(value.to_bytes(8, "big"), "little")


def _reverse_columns(value: int) -> int:
    value = (value >> 1 & 0x5555555555555555) | (value & 0x5555555555555555) << 1
    value = (value >> 2 & 0x3333333333333333) | (value & 0x3333333333333333) << 2
    return (value >> 4 & 0x0F0F0F0F0F0F0F0F) | (value & 0x0F0F0F0F0F0F0F0F) << 4


def _transpose(value: int) -> int:
    """Transpose 8 x 8 bits by three rounds of swaps (Warren, "Hacker's Delight", 2nd edition, section 7-3)."""
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        swap = (value ^ value >> shift) & mask
        value ^= swap ^ swap << shift
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _pack(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)
