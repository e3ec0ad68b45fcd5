"""Colours: every mode becomes the 8-bit sRGB that a viewer would show."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from imagelake.image import colour
from imagelake.image.colour import reduce_pixels, to_srgb
from imagelake.image.decode import open_picture


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rgb_of(image: Image.Image, kind: str = "PNG", **options: object) -> np.ndarray:
    return np.asarray(open_picture(encode(image, kind, **options)).rgb).astype(int)


def deep(values: list[list[float]], kind: type) -> Image.Image:
    return Image.fromarray(np.array(values, dtype=kind))


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    values = [[0, 128, 257, 32768, 65535]]
    expected = [0, 0, 1, 128, 255]
    for image, kind in (
        (deep(values, np.uint16), "PNG"),
        (deep(values, np.uint16), "TIFF"),
        (deep(values, np.int32), "TIFF"),
    ):
        assert rgb_of(image, kind)[0, :, 0].tolist() == expected
    assert rgb_of(deep(values, np.uint16), "PPM")[0, :, 1].tolist() == expected
    assert rgb_of(deep([[-100, 0, 100]], np.int32), "TIFF")[0, :, 2].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 257.0, 65535.0], [0, 1, 255]),
        ([-2.0, 0.0, 2.0], [0, 128, 255]),
        ([0.25, np.nan, np.inf], [64, 0, 255]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
        ([7e5, 7e5, 7e5], [0, 0, 0]),
        ([-3.4e38, 0.0, 3.4e38], [0, 128, 255]),
    ],
)
def test_floats_are_normalised(values: list[float], expected: list[int]) -> None:
    assert rgb_of(deep([values], np.float32), "TIFF")[0, :, 0].tolist() == expected


def test_transparency_lies_on_white() -> None:
    rgba = Image.fromarray(np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], dtype=np.uint8))
    expected = [[255, 0, 0], [255, 255, 255], [127, 127, 127]]
    assert rgb_of(rgba)[0].tolist() == expected
    assert rgb_of(rgba.convert("LA"))[0, 1].tolist() == [255, 255, 255]
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 9, 99, 199])
    palette.putpixel((0, 0), 0)
    assert rgb_of(palette, transparency=0)[0].tolist() == [[255, 255, 255], [9, 99, 199]]
    assert rgb_of(palette)[0].tolist() == [[0, 0, 0], [9, 99, 199]]
    key = Image.new("RGB", (1, 1), (1, 2, 3))
    assert rgb_of(key, transparency=(1, 2, 3))[0, 0].tolist() == [255, 255, 255]
    assert rgb_of(Image.new("1", (1, 1), 1))[0, 0].tolist() == [255, 255, 255]


def test_transparent_pixels_do_not_bleed_when_reduced() -> None:
    pixels = np.zeros((600, 600, 4), dtype=np.uint8)
    pixels[:, ::2] = (0, 200, 0, 255)
    pixels[:, 1::2] = (255, 0, 0, 0)  # invisible red
    reduced = rgb_of(Image.fromarray(pixels))
    assert reduced.shape == (300, 300, 3)
    assert np.abs(reduced - [128, 228, 128]).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_strips_equal_the_whole(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (45, 38, 3), dtype=np.uint8)
    image = (
        Image.fromarray(noise).convert("L").convert(mode)
        if mode in {"I;16", "I", "F"}
        else Image.fromarray(noise).convert(mode)
    )
    whole = reduce_pixels(image, 4)
    assert whole.size == (10, 12)
    monkeypatch.setattr(colour, "STRIP_PIXELS", 200)
    assert reduce_pixels(image, 4).tobytes() == whole.tobytes()


def swapped_profile() -> bytes:
    """The sRGB profile with its red and green primaries exchanged: its effect cannot be overlooked."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"tmp!", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmp!", b"gXYZ", 1)


def test_profiles_are_applied_or_ignored() -> None:
    red = Image.new("RGB", (300, 200), (200, 30, 30))
    plain = rgb_of(red)[0, 0]
    swapped = rgb_of(red, icc_profile=swapped_profile())[0, 0]
    assert plain.tolist() == [200, 30, 30]
    assert swapped[1] > 150
    assert swapped[0] < 80
    small = open_picture(encode(red, "PNG", icc_profile=swapped_profile())).small
    assert np.abs(np.asarray(small).astype(int)[0, 0] - swapped).max() <= 1
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for useless in (srgb, b"x" * 200, srgb[:200], b"", swapped_profile()[:129]):
        assert rgb_of(red, icc_profile=useless)[0, 0].tolist() == [200, 30, 30]
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert rgb_of(red, icc_profile=lab)[0, 0].tolist() == [200, 30, 30]


def test_the_identity_is_found_and_skipped() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    assert to_srgb(image, srgb) is image
    assert to_srgb(image, None) is image
    assert to_srgb(image, swapped_profile()) is not image


def test_cmyk_and_grey() -> None:
    ink = rgb_of(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)[8, 8]
    assert ink[0] > 240
    assert ink[1:].max() < 15
    assert rgb_of(Image.new("L", (3, 3), 77))[1, 1].tolist() == [77, 77, 77]
