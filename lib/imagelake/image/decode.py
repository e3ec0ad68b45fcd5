"""Decode once: the bytes of a file come in, a `Picture` goes out that every extractor draws its pixels from.

A JPEG is decoded at 1/2, 1/4 or 1/8 of its size wherever that is enough (the reduced inverse DCT costs a third of the
full one); colours and orientation are applied to the reduced pixels.
"""

import io
from functools import cached_property
from typing import Any

from PIL import ExifTags, Image

from imagelake.image.codecs import DECODE_ERRORS, MAX_PIXELS, as_bad_item, check_size, open_image
from imagelake.image.colour import reduce_pixels, to_srgb
from imagelake.image.header import Header, header_of

SMALL_PX = 256

# EXIF 2.32, tag 0x0112: how the stored pixels must be turned to be seen upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def reduction(size: tuple[int, int], min_side_px: int, longest_px: int = SMALL_PX) -> int:
    """The largest power of two by which both sides stay >= `min_side_px` and the longest stays >= `longest_px`."""
    factor = 1
    # Sides are rounded up when they are reduced; with the same rounding here, two steps end where one step does.
    while -(-max(size) // (2 * factor)) >= longest_px and -(-min(size) // (2 * factor)) >= min_side_px:
        factor *= 2
    return factor


class Picture:
    """The first frame of one decoded picture; made by `open_picture`, used by one thread at a time.

    Attributes:
        header: the facts of the file's header.
        orientation: EXIF orientation 1 to 8 that `rgb` and `small` have applied; 1 where the decoder has done it.
    """

    def __init__(self, header: Header, image: Image.Image, factor: int, *, is_native: bool) -> None:
        self.header = header
        self.orientation = orientation_of(image)
        self._image = image
        self._is_native = is_native
        self._factor = factor

    @property
    def native(self) -> Image.Image:
        """The pixels exactly as `PIL.Image.open(...).load()` gives them: native mode and size, not turned.

        Raises:
            ValueError: the picture was opened with `full=False` and decoded at a reduced scale.
        """
        if not self._is_native:
            raise ValueError("decoded at a reduced scale: open the picture with full=True")
        return self._image

    @cached_property
    def rgb(self) -> Image.Image:
        """The picture upright, in 8-bit sRGB on white, reduced by a power of two as `open_picture` was told.

        Raises:
            BadItem: the pixels cannot be converted.
        """
        return self._finish(self._reduced)

    def unturned(self, longest_px: int) -> Image.Image:
        """The picture as it is stored, in 8-bit sRGB on white, its longest side reduced by a power of two.

        Args:
            longest_px: the longest side is not reduced below this; not more than `open_picture` was told.

        Raises:
            BadItem: the pixels cannot be converted.
        """
        try:
            image = reduce_pixels(self._image, reduction(self._image.size, 0, longest_px))
            return to_srgb(image, self._image.info.get("icc_profile"))
        except DECODE_ERRORS as error:
            raise as_bad_item(error) from error

    @cached_property
    def small(self) -> Image.Image:
        """The same with its longest side at 256 px, or at its own size where that is less.

        First by powers of two (in the JPEG decoder or by box averages), then by one Hamming-window resampling; turned
        and converted to sRGB last.

        Raises:
            BadItem: the pixels cannot be converted.
        """
        try:
            image = reduce_pixels(self._reduced, reduction(self._reduced.size, 0))
            width, height = image.size
            longest = max(width, height)
            if longest > SMALL_PX:
                size = (_scaled(width, longest), _scaled(height, longest))
                image = image.resize(size, Image.Resampling.HAMMING)
        except DECODE_ERRORS as error:
            raise as_bad_item(error) from error
        return self._finish(image)

    @cached_property
    def _reduced(self) -> Image.Image:
        try:
            return reduce_pixels(self._image, self._factor)
        except DECODE_ERRORS as error:
            raise as_bad_item(error) from error

    def _finish(self, image: Image.Image) -> Image.Image:
        profile: Any = self._image.info.get("icc_profile")
        try:
            image = to_srgb(image, profile)
        except DECODE_ERRORS as error:
            raise as_bad_item(error) from error
        turn = TURNS.get(self.orientation)
        return image if turn is None else image.transpose(turn)


def _scaled(side: int, longest: int) -> int:
    return max(1, round(side * SMALL_PX / longest))


def orientation_of(image: Image.Image) -> int:
    """The orientation in the EXIF data, 1 where it is absent, damaged or not one of 1 to 8."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except DECODE_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def open_picture(
    data: bytes,
    *,
    full: bool = False,
    min_side_px: int = 0,
    longest_px: int = SMALL_PX,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """Decode the first frame of a picture, once.

    Args:
        data: the whole file.
        full: decode JPEGs at full size too, so that `Picture.native` exists. Other formats have no cheaper way.
        min_side_px: neither side of `Picture.rgb` is reduced below this; a large number asks for the full size. The
            longest side is never reduced below 256 px, which is enough for hashes and thumbnails.
        longest_px: the longest side is not decoded below this, 256 or more. It changes neither `rgb` nor `small`
            but where a JPEG is decoded at another scale for it.
        max_pixels: most pixels (width times height) that are accepted.

    Raises:
        BadItem: with the reasons of `imagelake.image.codecs`.
    """
    file = io.BytesIO(data)
    name, image = open_image(file, max_pixels)
    header = header_of(name, image, file)
    factor = reduction(image.size, min_side_px)
    scale = 1
    try:
        if name == "JPEG" and not full:
            scale = _draft(image, min(factor, reduction(image.size, 0, longest_px), 8))
        image.load()
    except DECODE_ERRORS as error:
        raise as_bad_item(error) from error
    check_size(image.size, max_pixels)  # HEIF and JPEG 2000 may learn their true size while decoding
    return Picture(header, image, factor // scale, is_native=scale == 1)


def _draft(image: Image.Image, factor: int) -> int:
    """Ask the JPEG decoder for 1/factor of the size; returns the factor that it will use."""
    width, height = image.size
    if factor == 1:
        return 1
    answer = image.draft(None, (max(1, width // factor), max(1, height // factor)))
    return 1 if answer is None else round(width / answer[1][2])
