"""Decoding: scales, orientation, modes and what happens to damaged files."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from imagelake.errors import BadItem
from imagelake.extract.hashes import perceptual_hashes
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import Picture, open_picture, reduction


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scene(width: int, height: int) -> Image.Image:
    coarse = np.random.default_rng(7).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


@pytest.mark.parametrize(
    ("size", "min_side_px", "expected"),
    [
        ((4000, 3000), 0, 8),
        ((4000, 3000), 224, 8),
        ((4000, 3000), 400, 4),
        ((4000, 3000), 3000, 1),
        ((4095, 3000), 0, 16),
        ((511, 511), 0, 2),
        ((510, 510), 0, 1),
        ((100_000, 1), 0, 256),
        ((1, 1), 0, 1),
    ],
)
def test_reduction(size: tuple[int, int], min_side_px: int, expected: int) -> None:
    assert reduction(size, min_side_px) == expected


def test_unturned_is_as_large_as_asked_for_and_changes_nothing_else() -> None:
    data = encode(scene(2600, 1900), "JPEG", quality=95)
    before, after = open_picture(data, full=True), open_picture(data, full=True, longest_px=1024)
    assert after.unturned(1024).size == (1300, 950)
    assert before.small.tobytes() == after.small.tobytes()
    assert before.rgb.tobytes() == after.rgb.tobytes()
    assert difference(open_picture(data, longest_px=1024).unturned(1024), after.unturned(1024)) < 2


@pytest.mark.parametrize("size", [(1000, 700), (1023, 767), (2050, 31), (3, 2100), (511, 512), (300, 5)])
@pytest.mark.parametrize("min_side_px", [0, 100, 10_000])
def test_reduced_and_full_decodes_have_the_same_sides(size: tuple[int, int], min_side_px: int) -> None:
    data = encode(scene(*size), "JPEG", quality=95)
    reduced = open_picture(data, min_side_px=min_side_px)
    full = open_picture(data, full=True, min_side_px=min_side_px)
    assert reduced.header == full.header
    limit = 2 if min(size) > 100 else 8  # the blocks at the ragged edge are all there is of a sliver
    assert difference(reduced.rgb, full.rgb) < limit
    assert difference(reduced.small, full.small) < limit
    factor = reduction(size, min_side_px)
    assert reduced.rgb.size == (-(-size[0] // factor), -(-size[1] // factor))
    assert full.native.size == size


def test_native_is_what_pillow_gives_and_only_when_decoded_in_full() -> None:
    data = encode(scene(800, 600), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert open_picture(data, full=True).native.tobytes() == image.tobytes()
    with pytest.raises(ValueError, match="full=True"):
        _ = open_picture(data).native
    palette = scene(800, 600).convert("P")
    assert open_picture(encode(palette, "PNG")).native.tobytes() == palette.tobytes()


# How a camera held that way would store an upright scene: the inverse of what EXIF orientation 2 to 8 asks for.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_is_applied_once(kind: str, orientation: int) -> None:
    upright = scene(640, 400)
    stored = upright.transpose(STORED[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True, "method": 0}}.get(kind, {})
    picture = open_picture(encode(stored, kind, exif=exif, **options))
    assert picture.rgb.size == (320, 200)
    assert difference(picture.rgb, upright.reduce(2)) < 2
    assert difference(picture.small, upright.resize((256, 160), Image.Resampling.BOX)) < 4


def test_damaged_exif_is_orientation_one() -> None:
    data = encode(scene(64, 48), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert open_picture(data).orientation == 1
    exif = Image.Exif()
    exif[0x0112] = 9
    assert open_picture(encode(scene(64, 48), "JPEG", exif=exif)).orientation == 1


def test_first_frame_of_animations() -> None:
    first, second = scene(60, 40), Image.new("RGB", (60, 40), (255, 0, 0))
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = encode(first, kind, save_all=True, append_images=[second], **options)
        assert difference(open_picture(data).rgb, first) < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF"])
def test_truncated_files_are_bad_items(kind: str) -> None:
    data = encode(Image.effect_noise((120, 90), 80).convert("RGB"), kind)
    with pytest.raises(BadItem) as caught:
        open_picture(data[: len(data) * 2 // 3])
    assert caught.value.reason in {"truncated", "corrupt"}
    if kind in {"JPEG", "PNG", "BMP", "PPM", "GIF"}:
        assert caught.value.reason == "truncated"


def use(picture: Picture) -> None:
    assert picture.rgb.mode == picture.small.mode == "RGB"
    assert max(picture.small.size) <= 256
    perceptual_hashes(picture.small)
    thumbnail(picture)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "CMYK", {"progressive": True}),
        ("PNG", "P", {}),
        ("PNG", "I;16", {}),
        ("GIF", "P", {}),
        ("BMP", "P", {}),
        ("WEBP", "RGBA", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "F", {}),
        ("TIFF", "1", {"compression": "group4"}),
        ("TIFF", "CMYK", {"compression": "jpeg"}),
        ("PPM", "RGB", {}),
        ("JPEG2000", "RGB", {}),
        ("AVIF", "RGB", {}),
    ],
)
def test_any_damage_ends_as_a_picture_or_a_bad_item(kind: str, mode: str, options: dict[str, object]) -> None:
    rng = random.Random(f"{kind} {mode}")
    image = scene(48, 40).convert("L").convert(mode) if mode in {"I;16", "F"} else scene(48, 40).convert(mode)
    whole = encode(image, kind, **options)
    use(open_picture(whole, full=True))
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole)
        reach = rng.choice([64, 600, len(data)])
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(min(reach, len(data)))] = rng.choice([0, 127, 128, 255, rng.randrange(256)])
        cut = rng.choice([len(data), len(data), rng.randrange(len(data))])
        try:
            use(open_picture(bytes(data[:cut]), full=rng.random() < 0.5, max_pixels=1_000_000))
            outcomes.add("picture")
        except BadItem as error:
            outcomes.add(error.reason)
    assert outcomes & {"truncated", "corrupt"}
