"""From a decoded picture to the square of pixels that a model takes.

In: an RGB PIL image, already upright. Out: uint8 (size_px, size_px, 3). Runs on CPU workers, without torch;
mean and standard deviation are applied on the device, after the bytes have crossed as uint8.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_RESIZES = ("shortest", "squash", "longest")
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocess:
    """Resize, then crop or pad around the centre; the same pixels as torchvision's transforms on a PIL image.

    Attributes:
        size_px: side of the square that comes out.
        resize: 'shortest' (shortest side to resize_px, rest cut off), 'squash' (both sides to resize_px) or
            'longest' (longest side to resize_px, rest filled).
        interpolation: 'bicubic', 'bilinear', 'nearest', 'box', 'hamming' or 'lanczos', all antialiased.
        mean: per channel, on the scale 0..1; subtracted on the device.
        std: per channel, on the scale 0..1; divided by on the device.
        resize_px: the side aimed at by the resize; None means size_px, more leaves a border to cut off.
        fill: RGB of the border that 'longest' adds.
    """

    size_px: int
    resize: str
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_px: int | None = None
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.resize not in _RESIZES or self.interpolation not in _FILTERS:
            raise ValueError(f"no such preprocessing: resize {self.resize!r}, filter {self.interpolation!r}")

    @property
    def target_px(self) -> int:
        """The side aimed at by the resize."""
        return self.resize_px or self.size_px

    def __call__(self, rgb: Image.Image) -> NDArray[np.uint8]:
        """Make the square, uint8 (size_px, size_px, 3), of an RGB image.

        Raises:
            ValueError: the image is not RGB (what to do with alpha or a palette is decided before).
        """
        if rgb.mode != "RGB":
            raise ValueError(f"Preprocess takes RGB, not {rgb.mode}")
        size = self._resized(*rgb.size)
        resized = rgb if size == rgb.size else rgb.resize(size, _FILTERS[self.interpolation])
        return np.asarray(self._cropped(resized))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after the resize, rounded as the originals do."""
        side = self.target_px
        if self.resize == "squash":
            return side, side
        if self.resize == "longest":  # timm's ResizeKeepRatio rounds
            ratio = max(height / side, width / side)
            return max(1, round(width / ratio)), max(1, round(height / ratio))
        if width <= height:  # torchvision's Resize cuts off the fraction
            return side, int(side * height / width)
        return int(side * width / height), side

    def _cropped(self, image: Image.Image) -> Image.Image:
        """The centre, padded first where a side is too short (torchvision's CenterCrop)."""
        side = self.size_px
        if min(image.size) < side:
            padded = Image.new("RGB", (max(image.width, side), max(image.height, side)), self.fill)
            padded.paste(image, ((padded.width - image.width) // 2, (padded.height - image.height) // 2))
            image = padded
        if image.size == (side, side):
            return image
        left, top = round((image.width - side) / 2.0), round((image.height - side) / 2.0)
        return image.crop((left, top, left + side, top + side))
