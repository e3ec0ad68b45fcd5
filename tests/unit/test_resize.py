"""Re-encoding: sizes of every mode, upright pixels, EXIF data, colours, transparency, and what cannot be done."""

import io
import itertools
import struct
from pathlib import Path

import exifread
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from imagelake.errors import BadItem
from imagelake.image.resize import Format, Mode, Resize, reencode
from tests.conftest import jpeg, picture

FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp")
WHITE = (255, 255, 255)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    return float(10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-9)))


def reason_of(data: bytes, how: Resize, max_pixels: int = 1_000_000) -> str:
    with pytest.raises(BadItem) as caught:
        reencode(data, how, max_pixels)
    return caught.value.reason


def expected_size(size: tuple[int, int], mode: Mode, side: int) -> tuple[int, int]:
    if mode == "none":
        return size
    if mode in ("border", "center_crop"):
        return side, side
    measure = min(size) if mode == "keep_ratio" else max(size)
    return max(1, round(size[0] * side / measure)), max(1, round(size[1] * side / measure))


def flat(size: tuple[int, int], kind: str) -> bytes:
    return encode(Image.new("RGB", size, (10, 120, 200)), kind)


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    mode=st.sampled_from(["keep_ratio", "keep_ratio_largest", "border", "center_crop", "none"]),
    side=st.integers(1, 80),
    kind=st.sampled_from(["JPEG", "PNG"]),
    only_if_bigger=st.booleans(),
)
def test_the_size_is_exact_and_the_colour_reaches_every_edge(
    size: tuple[int, int], mode: Mode, side: int, kind: str, only_if_bigger: bool
) -> None:
    data = flat(size, kind)
    result = reencode(data, Resize(mode, side, only_if_bigger=only_if_bigger, format="png"))
    measure = min(size) if mode in ("keep_ratio", "center_crop") else max(size)
    if only_if_bigger and (mode == "none" or measure <= side):
        assert result == data
        return
    image = opened(result)
    assert image.size == expected_size(size, mode, side)
    pixels = np.asarray(image).reshape(-1, 3).astype(int)
    is_colour = np.abs(pixels - (10, 120, 200)).max(axis=1) < 6
    assert is_colour.any()
    if mode == "border":
        assert (is_colour | (pixels == 255).all(axis=1)).all()
        inner = expected_size(size, "keep_ratio_largest", side)
        assert is_colour.sum() == inner[0] * inner[1]
    else:
        assert is_colour.all()


@pytest.mark.parametrize("size", [(1024, 768), (1001, 701), (333, 2222), (8008, 600)])
def test_pixels_are_close_to_one_resampling_of_all_of_them(size: tuple[int, int]) -> None:
    data = encode(picture(3, *size), "JPEG", quality=95)
    for how in (Resize("keep_ratio", 100, format="png"), Resize("keep_ratio_largest", 100, format="png")):
        small = opened(reencode(data, how))
        best = opened(data).resize(small.size, Image.Resampling.LANCZOS)
        averaged = opened(data).resize(small.size, Image.Resampling.BOX)
        assert psnr(small, best) > min(40.0, psnr(averaged, best) - 4.0)


def test_the_middle_stays_where_it_is() -> None:
    """No mode shifts the picture: a centred square stays centred, whatever is reduced on the way."""
    canvas = Image.new("RGB", (1603, 1202), WHITE)
    canvas.paste((0, 0, 0), (401, 301, 1202, 901))
    for kind, mode in itertools.product(("JPEG", "PNG"), ("keep_ratio", "keep_ratio_largest", "center_crop", "border")):
        small = opened(reencode(encode(canvas, kind), Resize(mode, 120, format="png"))).convert("L")
        ink = 255.0 - np.asarray(small, dtype=float)
        rows, columns = np.indices(ink.shape)
        assert (rows * ink).sum() / ink.sum() == pytest.approx((small.height - 1) / 2, abs=0.3)
        assert (columns * ink).sum() / ink.sum() == pytest.approx((small.width - 1) / 2, abs=0.3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pixels_are_upright_and_the_tag_says_so(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    data = encode(picture(5, 90, 60), kind, exif=exif.tobytes(), **({"lossless": True} if kind == "WEBP" else {}))
    upright = ImageOps.exif_transpose(opened(data)).convert("RGB")
    for wanted in FORMATS:
        result = opened(reencode(data, Resize("keep_ratio", 30, format=wanted)))
        assert result.format == wanted.upper()
        assert psnr(result.convert("RGB"), upright.resize(result.size, Image.Resampling.LANCZOS)) > 32
        kept = result.getexif()
        assert kept.get(0x0112, 1) == 1
        assert kept[0x010F] == "Maker"
        assert kept.get_ifd(0x8769)[0x829A] == 0.5


def test_the_preview_goes_and_every_other_byte_of_the_exif_data_stays() -> None:
    note = b"maker note that holds offsets"
    thumb = jpeg(1, 16, 12)
    data = exif_block(order=">", note=note, thumb=thumb)
    source = encode(picture(1, 60, 40), "JPEG", exif=b"Exif\0\0" + data)
    kept = opened(reencode(source, Resize("keep_ratio", 20))).info["exif"]
    assert kept[6:].find(note) == data.find(note)
    assert thumb not in kept
    changed = [i for i, (a, b) in enumerate(zip(data, kept[6:], strict=False)) if a != b]
    assert changed == [19, 25]  # the orientation's value and the link to the preview's directory
    between = exif_block(order="<", note=note, thumb=thumb, after=b"x" * 40)
    source = encode(picture(1, 60, 40), "JPEG", exif=b"Exif\0\0" + between)
    assert len(opened(reencode(source, Resize("keep_ratio", 20))).info["exif"]) == len(between) + 6


def exif_block(order: str, note: bytes, thumb: bytes, after: bytes = b"") -> bytes:
    """Orientation 6, a directory of the preview, bytes that nothing points to, the preview."""
    begin = 26 + 30 + len(note)
    return b"".join(
        (
            (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8),
            struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 26),
            struct.pack(f"{order}HHHIIHHIII", 2, 0x0201, 4, 1, begin, 0x0202, 4, 1, len(thumb), 0),
            note,
            thumb,
            after,
        )
    )


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"junk"],
)
def test_damaged_exif_data_is_dropped(block: bytes) -> None:
    source = encode(picture(1, 60, 40), "WEBP", exif=block)
    assert not opened(reencode(source, Resize("keep_ratio", 20))).info.get("exif")


def test_exif_data_too_long_for_a_jpeg_is_dropped_there() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    source = encode(picture(1, 60, 40), "WEBP", exif=exif.tobytes())
    assert "exif" not in opened(reencode(source, Resize("keep_ratio", 20))).info
    assert len(opened(reencode(source, Resize("keep_ratio", 20, format="webp"))).info["exif"]) > 70_000


def test_transparency_stays_in_png_and_webp_and_is_white_in_jpeg() -> None:
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 32, 64))
    for kind in ("PNG", "WEBP"):
        data = encode(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
        png = opened(reencode(data, Resize("keep_ratio", 32, format="png")))
        assert png.mode == "RGBA"
        assert png.getpixel((30, 16))[3] == 0
        assert png.getpixel((2, 16)) == (0, 0, 200, 255)
        assert opened(reencode(data, Resize("keep_ratio", 32, format="webp"))).mode == "RGBA"
        plain = opened(reencode(data, Resize("keep_ratio", 32)))
        assert plain.mode == "RGB"
        assert min(plain.getpixel((28, 16))) > 245
    square = opened(reencode(encode(image.crop((0, 0, 64, 16)), "PNG"), Resize("border", 32, format="png")))
    assert square.getpixel((1, 1)) == (255, 255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "I;16", "CMYK"])
def test_every_mode_of_pixels(mode: str) -> None:
    if mode == "I;16":
        levels = np.linspace(0, 65535, 60, dtype=np.uint16)
        image = Image.fromarray(np.tile(levels, (40, 1)))
    else:
        image = picture(2, 60, 40).convert(mode)
    data = encode(image, "JPEG" if mode == "CMYK" else "PNG")
    for wanted in FORMATS:
        result = opened(reencode(data, Resize("keep_ratio", 20, format=wanted)))
        assert result.size == (30, 20)
        assert result.convert("RGB").getextrema() != ((0, 0), (0, 0), (0, 0))


def test_colours_are_converted_and_the_profile_goes() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    swapped = _profile_with_swapped_primaries()
    image = Image.new("RGB", (40, 30), (200, 30, 30))
    for kind, wanted in itertools.product(("JPEG", "PNG"), FORMATS):
        result = opened(reencode(encode(image, kind, icc_profile=swapped), Resize("keep_ratio", 15, format=wanted)))
        red, green, _ = result.convert("RGB").getpixel((5, 5))
        assert green > red
        assert "icc_profile" not in result.info
        unsuitable = reencode(encode(image, kind, icc_profile=profile), Resize("keep_ratio", 15, format=wanted))
        assert opened(unsuitable).convert("RGB").getpixel((5, 5))[0] > 180


def _profile_with_swapped_primaries() -> bytes:
    """SRGB in which red and green have changed places (ICC.1:2022, section 7.3: tags of 12 bytes behind byte 132)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_quality_counts_and_png_ignores_it() -> None:
    data = jpeg(1, 200, 150)
    for wanted, is_smaller in (("jpeg", True), ("webp", True), ("png", False)):
        sizes = [len(reencode(data, Resize("keep_ratio", 100, format=wanted, quality=q))) for q in (30, 95)]
        assert (sizes[0] < sizes[1]) is is_smaller


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    result = opened(reencode(data, Resize("keep_ratio", 15, format="png")))
    assert getattr(result, "n_frames", 1) == 1
    assert result.convert("RGB").getpixel((3, 3))[0] > 200


def test_what_cannot_be_resized() -> None:
    how = Resize("keep_ratio", 16)
    assert reason_of(b"", how) == "empty_file"
    assert reason_of(b"<html>", how) == "not_an_image"
    assert reason_of(jpeg(1, 200, 150), how, max_pixels=20_000) == "too_many_pixels"
    assert reason_of(jpeg(1, 200, 150)[:-900], how) == "truncated"
    assert reason_of(encode(picture(1, 99, 99), "PNG")[:-400], how) in ("truncated", "corrupt")


def test_a_sliver_is_no_bomb() -> None:
    sliver = encode(Image.new("RGB", (10_000, 1)), "PNG")
    assert reason_of(sliver, Resize("keep_ratio", 64, only_if_bigger=False), 1 << 24) == "too_many_pixels"
    assert reason_of(sliver, Resize("keep_ratio", 8, only_if_bigger=False), 1 << 24) == "not_encodable"
    assert reencode(sliver, Resize("keep_ratio", 64), 1 << 24) == sliver
    assert opened(reencode(sliver, Resize("border", 64), 1 << 24)).size == (64, 64)


def test_exif_data_of_real_cameras_stays_readable(corpus: Path) -> None:
    """Every tag of every camera reads as before, but for the orientation and the preview."""
    compared = 0
    for path in sorted((corpus / "exif" / "jpg").rglob("*.jpg"))[::4]:
        data = path.read_bytes()
        try:
            result = reencode(data, Resize("keep_ratio_largest", 64))
        except BadItem:
            continue
        before, after = (_tags(block) for block in (data, result))
        assert {name: value for name, value in after.items() if before.get(name) != value} == {}, path.name
        assert len(after) == len(before), path.name
        compared += bool(after)
    assert compared > 10


def _tags(data: bytes) -> dict[str, str]:
    found = exifread.process_file(io.BytesIO(data), details=False, extract_thumbnail=False)
    left_out = ("Thumbnail", "JPEGThumbnail", "Image Orientation")
    return {name: str(tag) for name, tag in found.items() if not name.startswith(left_out)}


def test_odd_and_broken_files_end_as_pictures_or_reasons(corpus: Path) -> None:
    ends: dict[str, int] = {}
    for path in sorted(p for folder in ("odd", "broken") for p in (corpus / folder).rglob("*") if p.is_file()):
        try:
            result = opened(reencode(path.read_bytes(), Resize("center_crop", 32, only_if_bigger=False), 30_000_000))
            assert result.size == (32, 32)
            end = "picture"
        except BadItem as bad:
            end = bad.reason
        ends[end] = ends.get(end, 0) + 1
    assert ends["picture"] > 5
    assert ends.keys() - {"picture"}
