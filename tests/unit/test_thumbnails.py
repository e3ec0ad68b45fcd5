"""Thumbnails: size, orientation, colours, no metadata."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import open_picture


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    channels = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256 // 2], -1)
    return Image.fromarray(channels.astype(np.uint8))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 500), (256, 128)),
        ((500, 1000), (128, 256)),
        ((4095, 300), (256, 19)),
        ((257, 256), (256, 255)),
        ((256, 256), (256, 256)),
        ((40, 30), (40, 30)),
        ((3000, 2), (256, 1)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_longest_side_is_256_and_never_enlarged(kind: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    result = thumbnail(open_picture(encode(gradient(*size), kind)))
    assert (result.width_px, result.height_px) == expected
    assert Image.open(io.BytesIO(result.jpeg)).size == expected


def test_reduced_and_full_decodes_look_alike() -> None:
    source = gradient(1100, 700)
    data = encode(source, "JPEG", quality=95)
    pixels = [
        np.asarray(Image.open(io.BytesIO(thumbnail(open_picture(data, full=full)).jpeg)), dtype=float)
        for full in (False, True)
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 1.0
    direct = np.asarray(source.resize((256, 163), Image.Resampling.LANCZOS), dtype=float)
    assert np.abs(pixels[0] - direct).mean() < 4.0


def test_no_metadata_and_4_2_0_and_no_profile() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(gradient(300, 200), "JPEG", exif=exif, icc_profile=profile, comment=b"hello", dpi=(300, 300))
    result = thumbnail(open_picture(data))
    image = Image.open(io.BytesIO(result.jpeg))
    assert image.size == (171, 256)
    assert not dict(image.getexif())
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert image.layer[0][1:3] == (2, 2)
    assert b"hello" not in result.jpeg
    assert b"a maker" not in result.jpeg
    assert b"ICC_PROFILE" not in result.jpeg
