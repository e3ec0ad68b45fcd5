"""The classical descriptor: pinned numbers, invariances, cost and what it finds again."""

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from imagelake.errors import UsageError
from imagelake.extract import embedding_blocks as blocks
from imagelake.extract.embedding import load_model, model_card, parse_spec

MODEL = load_model(parse_spec("descriptor"))


def drawn(seed: int, side: int = 128) -> np.ndarray:
    """A picture of coloured ellipses on a gradient."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, side)[:, None, None] * rng.integers(0, 256, 3) + np.zeros((side, side, 1))
    image = Image.fromarray(ramp.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, w, h = (int(v) for v in rng.integers(4, side // 2, 4))
        pen.ellipse((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return np.asarray(image)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_has_512_finite_floats_and_a_norm_of_at_most_one() -> None:
    vectors = MODEL.embed(np.stack([drawn(seed) for seed in range(20)]))
    assert vectors.shape == (20, 512)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    norms = np.linalg.norm(vectors, axis=1)
    assert (norms > 0.8).all()
    assert (norms <= 1.0001).all()


def test_numbers_are_pinned() -> None:
    """A change of any formula must raise LAYOUT_VERSION, and with it model_id: then these are new."""
    noise = np.random.default_rng(5).integers(0, 256, (128, 128, 3), np.uint8)
    ramp = (np.add.outer(np.arange(128), np.arange(128))[:, :, None] * np.array([1, 0, 0]) % 256).astype(np.uint8)
    vectors = MODEL.embed(np.stack([noise, ramp]))
    assert MODEL.model_id == "descriptor:classical/v1@b5b04469b48d"
    assert hashlib.sha256(np.rint(vectors * 1e5).astype("<i4").tobytes()).hexdigest()[:16] == "16b7276c0fe42057"


def test_a_batch_equals_its_pictures_one_by_one() -> None:
    pixels = np.stack([drawn(seed) for seed in range(19)])  # more than one chunk
    together = MODEL.embed(pixels)
    assert np.array_equal(together, np.concatenate([MODEL.embed(each[None]) for each in pixels]))
    assert MODEL.embed(pixels[:0]).shape == (0, 512)


def test_takes_read_only_pixels_and_leaves_them_alone() -> None:
    pixels = drawn(1)[None].copy()
    pixels.flags.writeable = False
    before = pixels.copy()
    MODEL.embed(pixels)
    assert np.array_equal(before, pixels)


@pytest.mark.parametrize("shape", [(1, 64, 64, 3), (1, 128, 128, 4), (128, 128, 3)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        MODEL.embed(np.zeros(shape, np.uint8))


def test_flat_pictures_are_finite_and_differ_by_colour() -> None:
    colours = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    vectors = MODEL.embed(np.stack([np.full((128, 128, 3), colour, np.uint8) for colour in colours]))
    assert np.isfinite(vectors).all()
    assert (np.linalg.norm(vectors, axis=1) > 0.5).all()
    for i in range(len(colours)):
        for j in range(i):
            assert cosine(vectors[i], vectors[j]) < 0.9


def test_noise_of_one_level_on_a_flat_picture_changes_little() -> None:
    flat = np.full((128, 128, 3), 120, np.uint8)
    noisy = flat + np.random.default_rng(0).integers(0, 2, flat.shape, np.uint8)
    first, second = MODEL.embed(np.stack([flat, noisy]))
    assert cosine(first, second) > 0.98


def test_cannot_embed_text() -> None:
    with pytest.raises(UsageError, match="descriptor cannot embed text"):
        MODEL.embed_text(["a leopard"])


def test_card_is_the_model() -> None:
    card = model_card(parse_spec("descriptor"))
    assert (card.model_id, card.dimension, card.preprocess) == (MODEL.model_id, 512, MODEL.preprocess)
    assert not card.needs_full_decode


# the blocks against plain computations


def test_colour_histogram_shares_every_pixel_between_its_neighbours() -> None:
    """The expectation of the trilinear weights is the colour: first moments survive the binning."""
    luma = np.random.default_rng(2).integers(0, 4081, (1, 1, 64, 64), np.int32)
    planes = np.concatenate([luma, np.zeros((1, 2, 64, 64), np.int32)], axis=1)
    shares = np.square(blocks.colour_histogram(planes)).reshape(5, 5, 5)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[:, 2, 2].sum() == pytest.approx(1.0)  # grey is the middle node of both chroma axes
    assert float(shares.sum(axis=(1, 2)) @ np.linspace(0, 4080, 5)) == pytest.approx(luma.mean(), rel=1e-3)


@pytest.mark.parametrize("direction", range(8))
def test_gradients_vote_for_their_direction(direction: int) -> None:
    angle = np.pi * direction / 8
    y, x = np.mgrid[:64, :64]
    luma = np.rint(2040 + 30 * (x * np.cos(angle) + y * np.sin(angle)))[None].astype(np.int32)
    votes = np.square(blocks.gradients(luma)).reshape(8, 16).sum(axis=1)
    assert votes.argmax() == direction
    assert votes[direction] > 0.6 * votes.sum()


def test_patterns_equal_a_plain_loop() -> None:
    luma = np.random.default_rng(3).integers(0, 1021, (2, 12, 9), np.int32)
    counts = blocks.patterns_of(luma, 4)
    expected = np.zeros((2, 256))
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for n in range(2):
        for y in range(1, 11):
            for x in range(1, 8):
                bits = [luma[n, y + dy, x + dx] >= luma[n, y, x] + 12 for dy, dx in ring]
                expected[n, sum(bit << k for k, bit in enumerate(bits))] += 1
    assert np.array_equal(counts, expected)


def test_there_are_58_uniform_patterns_and_9_rotation_invariant_ones() -> None:
    """Ojala, Pietikainen & Maenpaa 2002, section 2.3."""
    assert blocks.uniform_bins().sum(axis=0).tolist() == [1.0] * 58 + [198.0]
    assert blocks.invariant_bins().sum(axis=0).tolist() == [1.0, *[8.0] * 7, 1.0, 198.0]


def test_dct_equals_scipy() -> None:
    fft = pytest.importorskip("scipy.fft")
    luma = np.random.default_rng(4).integers(0, 4081, (2, 64, 64), np.int32)
    expected = fft.dctn(luma.astype(float), axes=(1, 2), norm="ortho")
    # the cosines are rounded to 1/4096, so a coefficient may be off by as much of the largest one
    assert np.abs(blocks.dct(luma) - expected).max() < np.abs(expected).max() / 4096


def test_every_polar_bin_holds_frequencies() -> None:
    impulse = np.ones((1, 64, 64))
    assert (blocks.polar_energy(impulse) > 0).all()


def test_flips_and_turns_keep_what_is_said_to_be_invariant() -> None:
    pixels = drawn(8)
    base, flipped, turned = MODEL.embed(np.stack([pixels, pixels[:, ::-1], np.rot90(pixels)]))
    for other in (flipped, turned):
        assert np.allclose(base[:125], other[:125], atol=1e-6)  # colour histogram
        assert np.allclose(base[173:182], other[173:182], atol=1e-6)  # colour moments
        assert np.allclose(base[369:399], other[369:399], atol=1e-6)  # rotation-invariant patterns
        assert not np.allclose(base[125:173], other[125:173], atol=1e-2)  # layout


def test_costs_at_most_two_milliseconds_of_cpu_per_picture() -> None:
    pixels = np.stack([drawn(seed) for seed in range(16)])
    MODEL.embed(pixels)
    spent = []
    for _ in range(5):
        start = time.process_time()
        MODEL.embed(pixels)
        spent.append((time.process_time() - start) / len(pixels))
    assert min(spent) < 0.002


# what it finds again: the table of docs/embeddings.md


def reencoded(image: Image.Image) -> Image.Image:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=40)
    return Image.open(held).convert("RGB")


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        x, y = int(image.width * share / 2), int(image.height * share / 2)
        return image.crop((x, y, image.width - x, image.height - y))

    return crop


TRANSFORMS: dict[str, tuple[Callable[[Image.Image], Image.Image], float]] = {
    "re-encoded, JPEG quality 40": (reencoded, 1.0),
    "half the size": (lambda i: i.resize((i.width // 2, i.height // 2)), 1.0),
    "5 % cropped": (cropped(0.05), 1.0),
    "20 % cropped": (cropped(0.20), 1.0),
    "20 % brighter": (lambda i: ImageEnhance.Brightness(i).enhance(1.2), 1.0),
    "without colour": (lambda i: i.convert("L").convert("RGB"), 0.9),
    "mirrored": (lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.8),
    "turned by 90 degrees": (lambda i: i.transpose(Image.Transpose.ROTATE_90), 0.5),
}


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    """The pictures inside scikit-image and scikit-learn, without the one that another repeats in grey."""
    skimage, sklearn = pytest.importorskip("skimage"), pytest.importorskip("sklearn")
    files = sorted(p for p in (Path(skimage.__file__).parent / "data").iterdir() if p.suffix in {".png", ".jpg"})
    files += sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg"))
    images = []
    for file in files:
        with Image.open(file) as image:
            if min(image.size) >= 100 and file.name != "chessboard_GRAY.png":
                images.append(image.convert("RGB"))
    assert len(images) >= 20
    return images


@pytest.fixture(scope="module")
def originals(photographs: list[Image.Image]) -> np.ndarray:
    return MODEL.embed(np.stack([MODEL.preprocess(image) for image in photographs]))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_finds_the_original_again(name: str, photographs: list[Image.Image], originals: np.ndarray) -> None:
    transform, least = TRANSFORMS[name]
    changed = MODEL.embed(np.stack([MODEL.preprocess(transform(image)) for image in photographs]))
    cosines = changed @ originals.T / np.linalg.norm(originals, axis=1)
    rate = float((cosines.argmax(axis=1) == np.arange(len(originals))).mean())
    own = np.diag(cosines) / np.linalg.norm(changed, axis=1)
    print(f"{name}: rank 1 {rate:.2f}, cosine to the original {np.median(own):.3f}, at least {own.min():.3f}")
    assert rate >= least


def test_a_reduced_decode_changes_next_to_nothing() -> None:
    held = io.BytesIO()
    large = np.kron(np.ones((10, 12, 1), np.uint8), drawn(11))
    grain = np.random.default_rng(0).integers(0, 24, large.shape, np.uint8)
    Image.fromarray(large // 2 + grain).resize((1536, 1280)).crop((0, 0, 1536, 1111)).save(held, "JPEG", quality=92)
    with Image.open(held) as image:
        full = MODEL.embed(MODEL.preprocess(image.convert("RGB"))[None])[0]
    with Image.open(held) as image:
        image.draft("RGB", (1536 // 4, 1111 // 4))
        assert min(image.size) < 300
        assert min(image.size) >= MODEL.card.min_side_px
        reduced = MODEL.embed(MODEL.preprocess(image)[None])[0]
    assert cosine(full, reduced) > 0.999
