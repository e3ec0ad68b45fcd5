"""Planted duplicates: an upright RGB picture in, what people and programs make of pictures out, as files.

Used to calibrate thresholds on a lake's own pictures (`dedupe --calibrate`) and to evaluate the layers.
"""

import io
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance

QUALITY = 90  # of the JPEG that a transformed picture is saved as
# Transforms that leave nearly everything of a picture in its place: what a threshold must let through.
MILD = ("jpeg_q40", "half_size", "crop_3", "brighter", "darker")


def _crop(share: float) -> Callable[[Image.Image], Image.Image]:
    """Cuts a share of the width off at the left and of the height at the top: off-centre, as people crop."""

    def cut(rgb: Image.Image) -> Image.Image:
        return rgb.crop((round(rgb.width * share), round(rgb.height * share), rgb.width, rgb.height))

    return cut


def _text(rgb: Image.Image) -> Image.Image:
    """A caption in white on a black bar: 12 % of the height, at the bottom."""
    marked = rgb.copy()
    draw = ImageDraw.Draw(marked)
    height = max(1, round(rgb.height * 0.12))
    draw.rectangle((0, rgb.height - height, rgb.width, rgb.height), fill=(0, 0, 0))
    size = max(4, height * 2 // 3)
    draw.text((height // 3, rgb.height - height), "A caption, 2024", fill=(255, 255, 255), font_size=size)
    return marked


TRANSFORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_q40": lambda rgb: rgb,
    "half_size": lambda rgb: rgb.resize((max(1, rgb.width // 2), max(1, rgb.height // 2)), Image.Resampling.BICUBIC),
    "crop_3": _crop(0.03),
    "crop_10": _crop(0.10),
    "brighter": lambda rgb: ImageEnhance.Brightness(rgb).enhance(1.25),
    "darker": lambda rgb: ImageEnhance.Brightness(rgb).enhance(0.75),
    "text": _text,
    "mirror": lambda rgb: rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotate_90": lambda rgb: rgb.transpose(Image.Transpose.ROTATE_90),
    "rotate_5": lambda rgb: rgb.rotate(5, Image.Resampling.BICUBIC),  # black corners, same size
}


def planted(rgb: Image.Image, name: str) -> bytes:
    """One transformed copy of a picture as the bytes of a JPEG.

    Args:
        rgb: an upright RGB image.
        name: a key of `TRANSFORMS`.
    """
    file = io.BytesIO()
    TRANSFORMS[name](rgb).save(file, "JPEG", quality=40 if name == "jpeg_q40" else QUALITY)
    return file.getvalue()
