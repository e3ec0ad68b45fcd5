"""Any Pillow mode -> 8-bit sRGB: expand, scale 16-bit and float, flatten transparency on white, apply the profile.

The work is split in two, so that the costly half sees few pixels: `reduce_pixels` makes an image that can be averaged
(L, RGB, RGBA or CMYK) at a fraction of the size, in strips of bounded memory; `to_srgb` then applies the colour
profile to what is left.
"""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
from PIL import Image, ImageCms

STRIP_PIXELS = 4_000_000
_AVERAGED_AS_IS = frozenset({"L", "RGB", "RGBA", "CMYK"})
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_MAX_PROFILE_BYTES = 4 << 20


def strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Cut a decoded image into full-width strips of about 4 million pixels.

    Args:
        image: any decoded image.
        multiple: the height of every strip but the last is a multiple of this many rows.

    Yields:
        The strip's first row, and the strip.
    """
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width // multiple) * multiple
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _levels(image: Image.Image) -> tuple[float, float]:
    """The values shown as black and white: the full range of the type where it is plain, else what occurs."""
    if image.mode.startswith("I;16"):
        return 0.0, 65535.0
    low, high = np.inf, -np.inf
    for _, strip in strips(image):
        values = np.asarray(strip)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    if low >= 0:
        for top in ranges:
            if high <= top:
                return 0.0, top
    return low, high if high > low else low + max(1.0, abs(low))


def _deep_to_8_bit(image: Image.Image, levels: tuple[float, float]) -> Image.Image:
    low, high = levels
    # float64, for the extremes of float32 are further apart than float32 goes; a cast of a signalling NaN is no news.
    with np.errstate(invalid="ignore"):
        values = np.asarray(image).astype(np.float64)
    finite = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled = (finite - low) * 255.0 / (high - low)
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))


def _is_averaged_as_is(image: Image.Image) -> bool:
    return image.mode in _AVERAGED_AS_IS and "transparency" not in image.info


def _expand(image: Image.Image) -> Image.Image:
    if _is_averaged_as_is(image):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _expander(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    return partial(_deep_to_8_bit, levels=_levels(image)) if image.mode in _DEEP_MODES else _expand


def reduce_pixels(image: Image.Image, factor: int) -> Image.Image:
    """Average boxes of factor x factor pixels, in a mode where an average means something.

    Args:
        image: a decoded image in any mode. 16-bit values are divided by 257, floats and 32-bit integers scaled from
            0..1, 0..255 or 0..65535 where they fit into one of these and from their own extremes otherwise.
        factor: 1 or more; sides are rounded up, the last box of a row or column may be smaller.

    Returns:
        An image in mode L, RGB, RGBA or CMYK. With factor 1 it can be the argument itself.
    """
    expand = _expander(image)
    if factor == 1:
        return expand(image)
    if _is_averaged_as_is(image) and image.mode != "RGBA":
        return image.reduce(factor)
    parts = [(top // factor, expand(strip).reduce(factor)) for top, strip in strips(image, factor)]
    if len(parts) == 1:
        return parts[0][1]
    width, height = image.size
    reduced = Image.new(parts[0][1].mode, (-(-width // factor), -(-height // factor)))
    for top, part in parts:
        reduced.paste(part, (0, top))
    return reduced


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of an ICC profile to sRGB; None for a broken or unsuitable one and where it changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, mode, "RGB")
        if mode == "RGB" and _changes_nothing(transform):
            return None
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    return transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 16).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    after = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), transform))
    return bool(np.abs(after.astype(np.int16) - cube).max() <= 1)


def _flatten(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white


def to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Flatten transparency on white and convert to 8-bit sRGB.

    Args:
        image: mode L, RGB, RGBA or CMYK, as `reduce_pixels` gives it.
        profile: the embedded ICC profile, or None. A broken one, or one for another colour space, is ignored.

    Returns:
        An RGB image of the same size; perceptual intent, by the profile or else by Pillow's formulas.
    """
    if image.mode == "RGBA":
        image = _flatten(image)
    if isinstance(profile, bytes) and 128 <= len(profile) <= _MAX_PROFILE_BYTES:
        transform = _transform(profile, image.mode)
        if transform is not None:
            converted = ImageCms.applyTransform(image, transform)
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")
