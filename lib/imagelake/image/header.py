"""Facts of a picture from its header alone: bytes come in, a `Header` goes out, and no pixel is decoded."""

import io
from typing import BinaryIO, NamedTuple

from PIL import ExifTags, Image

from imagelake.image.codecs import DECODE_ERRORS, MAX_PIXELS, as_bad_item, open_image
from imagelake.image.frames import count_frames


class Header(NamedTuple):
    """What the header of a picture says.

    Attributes:
        format: as `imagelake.image.sniff` names it; MPO files are "JPEG", PGM and PBM are "PPM".
        width: in pixels as encoded, before any EXIF orientation (HEIF: after the rotation that the container states).
        height: in pixels, likewise.
        mode: Pillow's mode of the first frame, such as "RGB", "P", "I;16" or "CMYK".
        frames: frames or pages, 1 for a still picture.
        has_alpha: whether pixels can be transparent (alpha channel, transparent palette entry or key colour).
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int
    has_alpha: bool


def read_header(data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the header of a picture.

    Args:
        data: the whole file, as bytes or as a seekable binary file (only the header is read from it).
        max_pixels: most pixels (width times height) that are accepted.

    Raises:
        BadItem: with the reasons of `imagelake.image.codecs`.
    """
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    name, image = open_image(file, max_pixels)
    return header_of(name, image, file)


def header_of(name: str, image: Image.Image, file: BinaryIO) -> Header:
    """Make the header of a picture that `open_image` has opened and nothing has decoded yet.

    Raises:
        BadItem: `corrupt` where Pillow cannot make sense of the transparency or the tags.
    """
    try:
        width, height = _encoded_size(name, image)
        has_alpha = bool(image.has_transparency_data)
    except DECODE_ERRORS as error:
        raise as_bad_item(error) from error
    return Header(name, width, height, image.mode, count_frames(name, image, file), has_alpha)


def _encoded_size(name: str, image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow already swaps the sides of a TIFF that lies on its side, for its decoder turns the pixels as well.
    if name == "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in {5, 6, 7, 8}:
        return height, width
    return width, height
