"""A decoded `Picture` comes in, one row of the table `quality` goes out."""

from typing import Literal

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from imagelake.extract.quality.blur import blur
from imagelake.extract.quality.blur_digikam import blur_digikam
from imagelake.extract.quality.compression import compression, compression_digikam
from imagelake.extract.quality.exposure import exposure
from imagelake.extract.quality.measures import grey_histogram, measures
from imagelake.extract.quality.noise import noise, noise_digikam
from imagelake.extract.quality.score import score, verdict
from imagelake.image.decode import TURNS, Picture

LONGEST_PX = 1024
_COMPATIBLE_PX = 4096  # from twice as many on, pixels are averaged by a power of two first: memory has an end


def quality(picture: Picture, method: Literal["imagelake", "digikam"] = "imagelake") -> dict[str, object]:
    """The columns of `quality` but for the keys of the run.

    Args:
        picture: opened with `longest_px=LONGEST_PX` at least; for `digikam` with `full=True`.
        method: `imagelake` or `digikam`.

    Raises:
        BadItem: the pixels cannot be converted.
    """
    rgb = _digikam_pixels(picture) if method == "digikam" else _scaled(picture.unturned(LONGEST_PX))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    histogram = grey_histogram(grey)
    damages: dict[str, float | None]
    if method == "digikam":
        damages = {
            "blur": blur_digikam(rgb[:, :, ::-1], grey),
            "noise": noise_digikam(grey),
            "exposure": exposure(histogram, white_is_clipped=False),
            "compression": compression_digikam(rgb, grey),
        }
    else:
        damages = {
            "blur": blur(grey),
            "noise": noise(grey),
            "exposure": exposure(histogram),
            "compression": compression(rgb, grey),
        }
    points = score(damages.values())
    shorter, longer = sorted((picture.header.width, picture.header.height))
    return {
        "method": method,
        **damages,
        "score": points,
        "verdict": verdict(points),
        "aspect": shorter / longer,
        **measures(rgb, grey, histogram)._asdict(),
    }


def _digikam_pixels(picture: Picture) -> NDArray[np.uint8]:
    """Upright, as digiKam's preview is."""
    rgb = _scaled(picture.unturned(_COMPATIBLE_PX))
    turn = TURNS.get(picture.orientation)
    return rgb if turn is None else np.asarray(Image.fromarray(rgb).transpose(turn))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an RGB image as uint8 (height, width, 3), from Pillow's own memory where that is in one piece."""
    try:
        padded = pa.array(image)  # three channels and one of padding
    except ValueError:
        return np.asarray(image)
    four = padded.flatten().to_numpy().reshape(image.height, image.width, 4)
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB))


def _scaled(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels as uint8 (height, width, 3), longest side at most 1024, averaged over areas."""
    pixels = _pixels(image)
    longest = max(image.size)
    if longest <= LONGEST_PX:
        return pixels
    width, height = (max(1, round(side * LONGEST_PX / longest)) for side in image.size)
    reduced: NDArray[np.uint8] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return reduced
