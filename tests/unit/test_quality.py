"""The detectors of quality: series of planted damage, pictures that say nothing, odd sizes, invariants."""

import io
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import data as photographs

from imagelake.extract.quality.assess import quality
from imagelake.extract.quality.blur import blur
from imagelake.extract.quality.compression import compression, compression_digikam
from imagelake.extract.quality.exposure import exposure
from imagelake.extract.quality.noise import noise, noise_digikam
from imagelake.extract.quality.score import score, verdict
from imagelake.extract.quality.tiles import Tiles
from imagelake.image.decode import open_picture

DAMAGES = ("blur", "noise", "exposure", "compression")
Pixels = NDArray[np.uint8]


def png(pixels: Pixels | Image.Image) -> bytes:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, "PNG")
    return file.getvalue()


def of(pixels: Pixels | Image.Image, method: str = "imagelake") -> dict[str, object]:
    return quality(open_picture(png(pixels), full=True, longest_px=1024), method)  # type: ignore[arg-type]


def jpeg_at(pixels: Pixels, level: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=level)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """512 x 512, sharp."""
    return np.asarray(photographs.astronaut())


@pytest.fixture(scope="module")
def cat() -> Pixels:
    """451 x 300, sharp, neither black nor white anywhere."""
    return np.asarray(photographs.chelsea())


def noisy(pixels: Pixels, sigma: float) -> Pixels:
    added = pixels + np.random.default_rng(1).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(added), 0, 255).astype(np.uint8)


def brighter(pixels: Pixels, factor: float) -> Pixels:
    return np.clip(pixels * float(factor), 0, 255).astype(np.uint8)


def moved(pixels: Pixels, length: int) -> Pixels:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    return cv2.filter2D(pixels, -1, kernel)


SERIES: dict[str, tuple[str, Callable[[Pixels, float], Pixels], list[float]]] = {
    "blur": ("blur", lambda p, s: cv2.GaussianBlur(p, (0, 0), s), [0.5, 1, 1.5, 2, 3, 5]),
    "noise": ("noise", noisy, [0, 2, 4, 6, 9, 13, 20]),
    "over": ("exposure", brighter, [1, 1.5, 2, 3, 5]),
    "under": ("exposure", brighter, [0.9, 0.6, 0.4, 0.2, 0.1]),
    "compression": ("compression", lambda p, q: jpeg_at(p, int(q)), [90, 40, 20, 10, 5, 2]),
}


@pytest.mark.parametrize(
    ("name", "method"),
    # of overexposure, the original loses what becomes white
    [(name, method) for name in SERIES for method in ("imagelake", "digikam") if (name, method) != ("over", "digikam")],
)
def test_damage_grows_with_the_distortion(cat: Pixels, name: str, method: str) -> None:
    column, distort, levels = SERIES[name]
    damages = [of(distort(cat, level), method)[column] for level in levels]
    assert damages == sorted(damages), damages  # type: ignore[type-var]
    assert damages[-1] - damages[0] > 0.15  # type: ignore[operator]


def test_verdicts_that_the_original_expects_of_each_detector_alone(cat: Pixels) -> None:
    """digiKam's own tests: faint noise accepted, strong noise rejected; overexposed rejected; see docs/quality.md."""

    def alone(pixels: Pixels, column: str) -> str | None:
        return verdict(score([of(pixels)[column]]))  # type: ignore[list-item]

    assert alone(noisy(cat, 1), "noise") == "accepted"
    assert alone(noisy(cat, 5), "noise") in {"pending", "accepted"}
    assert alone(noisy(cat, 20), "noise") == "rejected"
    assert alone(brighter(cat, 9), "exposure") == "rejected"
    assert alone(brighter(cat, 0.1), "exposure") == "rejected"
    assert alone(cv2.GaussianBlur(cat, (0, 0), 9), "blur") == "rejected"
    assert alone(photographs.grass(), "blur") == "accepted"


def test_white_is_overexposed_but_not_in_the_original() -> None:
    histogram = np.zeros(256, np.int64)
    histogram[255], histogram[128] = 90, 10
    assert exposure(histogram) == pytest.approx(15 * 90 / (10 + 15 * 90))
    assert exposure(histogram, white_is_clipped=False) == 0.0
    histogram[20] = 5
    assert exposure(histogram, white_is_clipped=False) == pytest.approx(6 * 5 / (100 + 6 * 5))


def test_motion_across_the_whole_picture_is_blur() -> None:
    grass = photographs.grass()
    sharp, streaked = blur(grass), blur(moved(grass, 25))
    assert sharp is not None
    assert streaked is not None
    assert (sharp, streaked) == (pytest.approx(0, abs=0.05), pytest.approx(0.9, abs=0.1))


GREY = np.full((300, 400, 3), 128, np.uint8)
ROWS, COLUMNS = np.mgrid[0:300, 0:400]


def textured(contrast: float) -> Pixels:
    noise = np.random.default_rng(3).normal(128, contrast, (300, 400))
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        GREY,
        GREY * 0,
        GREY + 127,
        np.broadcast_to(np.array([200, 30, 40], np.uint8), (300, 400, 3)),
        (COLUMNS * 255 / 399).astype(np.uint8),
        ((COLUMNS + ROWS) * 255 / 698).astype(np.uint8),
        np.hypot(ROWS - 150, COLUMNS - 200).astype(np.uint8),
        (COLUMNS % 64 * 3).astype(np.uint8)[:, :64],
        textured(4),
        textured(15),
    ],
    ids=["grey", "black", "white", "red", "gradient", "diagonal", "radial", "steep", "faint texture", "texture"],
)
def test_what_has_no_edges_or_is_texture_is_not_blurred(pixels: Pixels) -> None:
    assert of(pixels)["blur"] in (None, pytest.approx(0, abs=0.02))


def test_a_large_picture_is_judged_at_1024_pixels() -> None:
    """Soft at every pixel, as large scans are; sharp when it is seen."""
    grain = np.random.default_rng(5).integers(0, 256, (192, 256), dtype=np.uint8)
    detail = cv2.resize(grain, (1024, 768), interpolation=cv2.INTER_NEAREST)
    large = cv2.resize(detail, (6000, 4500), interpolation=cv2.INTER_LINEAR)[:4000]
    assert of(large)["blur"] == pytest.approx(0, abs=0.02)


def test_flat_pictures_have_nothing_to_judge() -> None:
    row = of(GREY)
    assert [row[name] for name in DAMAGES] == [None, None, 0.0, None]
    assert (row["score"], row["verdict"], row["sharpness"], row["entropy_bits"]) == (100.0, "accepted", None, 0.0)
    assert row["is_low_information"] is True
    original = of(GREY, "digikam")
    assert (original["noise"], original["compression"]) == (None, pytest.approx(10 / 11))
    assert of(GREY[:280], "digikam")["blur"] is None, "40 x 40 tiles that fill the picture"


@pytest.mark.parametrize("sigma", [3.0, 8.0])
def test_noise_on_grey_is_its_own_variance(sigma: float) -> None:
    expected = 1 / (1 + np.exp(-(sigma**2 - 18) / 7))
    assert noise(textured(sigma)) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("name", ["camera", "brick", "grass", "gravel", "moon", "coins", "page", "text"])
@pytest.mark.parametrize("sigma", [0.0, 4.0, 12.0])
def test_noise_equals_the_fifteen_filters_of_the_original(name: str, sigma: float) -> None:
    grey = noisy(getattr(photographs, name)(), sigma)
    assert noise(grey) == pytest.approx(noise_digikam(grey), abs=0.01)


def test_compression_by_hand() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    rgb[:, :40] = 90
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    flat = (cv2.medianBlur(rgb, 5) == rgb).all(axis=2).sum()
    assert compression(rgb, grey) == pytest.approx(10 * flat / (10 * flat + 4800 - flat), abs=1e-3)
    assert compression_digikam(rgb, grey) == pytest.approx(10 * flat / (10 * flat + 4800), abs=1e-3)


def test_tiles_by_hand() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (100, 95), dtype=np.uint8)
    tiles = Tiles(grey.shape, 40)
    assert tiles.pixels.sum() == grey.size
    tile = grey[52:100:5, 47:95].astype(float)
    found = tiles.statistics(grey)
    assert found.deviation[1, 1] == pytest.approx(tile.std(), rel=1e-4)
    down, across = np.mgrid[0 : tile.shape[0], 0 : tile.shape[1]]
    plane = np.stack([down.ravel(), across.ravel(), np.ones(tile.size)], axis=1)
    rest = tile.ravel() - plane @ np.linalg.lstsq(plane, tile.ravel(), rcond=None)[0]
    assert found.beside_plane[1, 1] == pytest.approx(rest.std(), rel=1e-4)
    assert tiles.means(grey)[1, 1] == pytest.approx(grey[50:, 47:].mean())


def test_measures_by_hand() -> None:
    half = np.zeros((100, 200, 3), np.uint8)
    half[:, 100:] = 255
    row = of(half)
    assert (row["brightness"], row["contrast"], row["entropy_bits"], row["aspect"]) == (0.5, 0.5, 1.0, 0.5)
    assert (row["brightness_p5"], row["brightness_p95"], row["colourfulness"]) == (0.0, 1.0, 0.0)
    assert (row["is_grey"], row["is_low_information"]) == (True, False)


def test_colour(photo: Pixels) -> None:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    stored_as_rgb = jpeg_at(np.repeat(grey[:, :, None], 3, axis=2), 80)
    assert of(stored_as_rgb)["is_grey"] is of(grey)["is_grey"] is True
    assert of(photo)["is_grey"] is False
    assert of(photo)["colourfulness"] > of(grey)["colourfulness"] == 0  # type: ignore[operator]
    red, green, blue = (photo[..., i].astype(float) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    exact = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert of(photo)["colourfulness"] == pytest.approx(exact, rel=0.05)


def test_sharpness_does_not_grow_with_contrast(photo: Pixels) -> None:
    half = (photo // 2 + 60).astype(np.uint8)
    assert of(half)["sharpness"] == pytest.approx(of(photo)["sharpness"], rel=0.05)
    assert of(cv2.GaussianBlur(photo, (0, 0), 2))["sharpness"] < of(photo)["sharpness"] / 4  # type: ignore[operator]


@pytest.mark.parametrize("method", ["imagelake", "digikam"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 3), (4, 4), (5, 5), (2, 700), (1, 3000), (41, 39)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "I;16", "1", "P", "LA"])
def test_any_size_and_mode_gives_a_row(size: tuple[int, int], mode: str, method: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values[:, :, 0].astype(np.uint16) * 257)
    row = of(image if mode in ("RGB", "I;16") else image.convert(mode), method)
    for name in DAMAGES:
        assert row[name] is None or 0 <= row[name] <= 1, name  # type: ignore[operator]
    assert row["exposure"] is not None
    assert 0 <= row["score"] <= 100  # type: ignore[operator]


@settings(max_examples=60)
@given(st.lists(st.none() | st.floats(0, 1), min_size=4, max_size=4))
def test_score_and_verdict(damages: list[float | None]) -> None:
    points = score(damages)
    if points is None:
        assert set(damages) == {None}
        assert verdict(points) is None
    else:
        judged = [d for d in damages if d is not None]
        assert -1e-9 <= 100 * (1 - max(judged)) - 1e-9 <= points <= 100 * (1 - min(judged)) + 1e-9
        assert (verdict(points) == "accepted") == (points >= 61)
        assert (verdict(points) == "rejected") == (points < 11)


def test_a_severe_damage_weighs_twenty_times_as_much() -> None:
    assert score([0.95, 0.1, 0.1, 0.1]) == pytest.approx(100 * (1 - (20 * 0.95 + 0.3) / 23))
    assert score([0.9, 0.1, 0.1, 0.1]) == pytest.approx(70)


def test_arrays_of_pictures_do_not_come_anew_from_the_system() -> None:
    """In a process of its own: what one picture leaves is there for the next."""
    code = (
        "import resource, sys, numpy as np\n"
        "from imagelake.extract.memory import keep_freed_memory\n"
        "if sys.argv[1] == 'keep': keep_freed_memory()\n"
        "def work(): a = np.ones(3 << 20, np.uint8); b = np.ones(5 << 20, np.uint8)\n"
        "work()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20): work()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    faults = [
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "as usual")
    ]
    if sys.platform == "linux" and faults[1] > 100:  # glibc as it is gives memory back
        assert faults[0] < faults[1] / 10
