"""The hashes equal their published vectors, imagehash where that is promised, and the SQL of the documentation."""

import re
from importlib.util import find_spec
from pathlib import Path

import duckdb
import imagehash
import numpy as np
import pytest
from PIL import Image

from imagelake.extract.hashes import (
    dhash,
    dhash_vertical,
    dihedral_variants,
    from_hex,
    grey_image,
    hamming,
    perceptual_hashes,
    phash,
    pixel_hash,
    to_hex,
)
from imagelake.image import colour
from imagelake.image.decode import open_picture

DOC = (Path(__file__).parents[2] / "docs" / "hashes.md").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    section = DOC.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    # a cell in backticks may hold anything but a backtick
    return [[cell.strip(" `") for cell in row.strip("| ").split(" | ")] for row in rows[1:]]


FORMULAS = table("Test vectors: formulas")
PHOTOGRAPHS = table("Test vectors: photographs")
PIXEL_HASHES = dict(table("Test vectors: pixel_hash"))


def draw(size: str, formula: str) -> Image.Image:
    width, height = (int(n) for n in size.split(" x "))
    y, x = np.mgrid[0:height, 0:width]
    value = eval(formula, {"np": np, "x": x, "y": y})
    channels = value if isinstance(value, tuple) else (value,) * 3
    stack = np.stack([np.broadcast_to(channel, (height, width)) for channel in channels], axis=-1)
    return Image.fromarray(stack.clip(0, 255).astype(np.uint8))


def noise(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def test_the_tables_are_long_enough() -> None:
    assert len(FORMULAS) >= 8
    assert len(PHOTOGRAPHS) >= 5
    assert set(PIXEL_HASHES) == {row[0] for row in FORMULAS + PHOTOGRAPHS}


@pytest.mark.parametrize("row", FORMULAS, ids=lambda row: row[0])
def test_vectors_of_formulas(row: list[str]) -> None:
    name, size, formula, *expected = row
    image = draw(size, formula)
    assert [to_hex(value) for value in perceptual_hashes(image)] == expected
    assert pixel_hash(image) == PIXEL_HASHES[name]


@pytest.mark.parametrize("row", PHOTOGRAPHS, ids=lambda row: row[0])
def test_vectors_of_photographs(row: list[str]) -> None:
    name, *expected = row
    package, _, path = name.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    data = (Path(spec.origin).parent / path).read_bytes()
    assert [to_hex(value) for value in perceptual_hashes(open_picture(data).small)] == expected
    assert pixel_hash(open_picture(data, full=True).native) == PIXEL_HASHES[name]


@pytest.mark.parametrize("seed", range(20))
def test_dhash_equals_imagehash(seed: int) -> None:
    rgb = noise(seed, (83, 61))
    grey = grey_image(rgb)
    assert to_hex(dhash(grey)) == str(imagehash.dhash(rgb))
    assert to_hex(dhash_vertical(grey)) == str(imagehash.dhash_vertical(rgb))


def test_grey_image_keeps_both_sides_above_its_limit() -> None:
    assert grey_image(noise(1, (256, 192))).size == (64, 48)
    assert grey_image(noise(1, (95, 300))).size == (95, 300)
    assert grey_image(noise(1, (3, 2))).size == (3, 2)


def test_flat_pictures_have_zero_hashes() -> None:
    assert perceptual_hashes(Image.new("RGB", (70, 50), (9, 200, 77))) == (0, 0, 0)


def test_hashes_use_all_64_bits() -> None:
    hashes = np.array([[to_hex(v) for v in perceptual_hashes(noise(seed))] for seed in range(200)])
    for column in hashes.T:
        bits = np.array([[int(bit) for bit in f"{int(digits, 16):064b}"] for digits in column])
        assert bits.mean(axis=0).min() > 0.05
        assert bits.mean(axis=0).max() < 0.95


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_pixel_hash_in_strips_equals_the_whole(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(3, (37, 29)).convert("L").convert(mode)
    whole = pixel_hash(image)
    monkeypatch.setattr(colour, "STRIP_PIXELS", 200)
    assert len(list(colour.strips(image))) == 6
    assert pixel_hash(image) == whole


def test_pixel_hash_ignores_the_shape_and_sees_one_pixel() -> None:
    image = noise(5)
    reshaped = Image.frombytes("RGB", (48, 64), image.tobytes())
    assert pixel_hash(reshaped) == pixel_hash(image)
    reshaped.putpixel((0, 0), (1, 2, 3))
    assert pixel_hash(reshaped) != pixel_hash(image)


def test_hexadecimal_round_trip() -> None:
    for digits in ("0000000000000000", "ffffffffffffffff", "8000000000000000", "0123456789abcdef"):
        value = from_hex(digits)
        assert -(1 << 63) <= value < 1 << 63
        assert to_hex(value) == digits
    for wrong in ("", "00", "0" * 15, "0" * 17, "g" * 16, "00 00 00 00 00 00 00 00"):
        with pytest.raises(ValueError, match="hex"):
            from_hex(wrong)


def test_hamming_of_signed_and_unsigned() -> None:
    assert hamming(-1, 0) == 64
    assert hamming(-1, (1 << 64) - 1) == 0
    assert hamming(from_hex("8000000000000001"), 0) == 2


def test_the_sql_of_the_documentation_agrees() -> None:
    connection = duckdb.connect()
    connection.execute("create table hashes (image_id varchar, phash bigint)")
    values = [phash(grey_image(noise(seed))) for seed in range(10)]
    rows = [[str(number), value] for number, value in enumerate(values)]
    rows.append(["copy", values[0] ^ 7])
    connection.executemany("insert into hashes values (?, ?)", rows)
    blocks = re.findall(r"```sql\n(.*?)```", DOC, re.DOTALL)
    assert connection.execute(blocks[0]).fetchall() == [("0", "copy", 3)]
    connection.execute(blocks[1])
    for value in values:
        answer = connection.execute(
            "select phash_variants(?::bigint), printf('%016x', ?::bigint)", [value, value]
        ).fetchone()
        assert answer == (list(dihedral_variants(value)), to_hex(value))
        turned = dihedral_variants(value)[6]
        distance = connection.execute("select phash_distance(?::bigint, ?::bigint)", [value, turned]).fetchone()
        assert distance == (0,)
