"""Photo-like JPEGs of real size drawn from a seed: the photographs that scikit-image and scikit-learn ship, cropped,
resampled, mirrored to 3 to 4 megapixels with sensor noise, saved at quality 85 to 95 with the EXIF of a camera.
"""

import io
import multiprocessing as mp
import os
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = 1  # in the name of the cached folder: raise it when the pictures change
SIZES = ((2304, 1536), (2048, 1536), (2272, 1704), (2448, 1632))
_LIBRARY = {
    "skimage": (
        *("data/astronaut.png", "data/chelsea.png", "data/coffee.png", "data/hubble_deep_field.jpg", "data/ihc.png"),
        *("data/motorcycle_left.png", "data/retina.jpg", "data/rocket.jpg"),
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}


@lru_cache(maxsize=1)
def _photographs() -> list[Image.Image]:
    import importlib.util

    found = []
    for package, names in _LIBRARY.items():
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        found += [Image.open(folder / name).convert("RGB") for name in names if (folder / name).exists()]
    return found


def photograph(seed: int, size: tuple[int, int] | None = None) -> bytes:
    """One JPEG; `size` None draws 3 to 4 megapixels."""
    rng = np.random.default_rng([RECIPE, seed])
    width, height = size or SIZES[rng.integers(len(SIZES))]
    photo = _photographs()[rng.integers(len(_photographs()))]
    side = int(min(photo.size) * rng.uniform(0.7, 1.0))
    left, top = (int(rng.integers(0, full - side + 1)) for full in photo.size)
    zoom = rng.uniform(1.2, 2.2)
    tile = photo.crop((left, top, left + side, top + side)).resize((int(side * zoom),) * 2, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (width, height))
    for row, y in enumerate(range(0, height, tile.height)):
        for column, x in enumerate(range(0, width, tile.width)):
            part = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if column % 2 else tile
            canvas.paste(part.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if row % 2 else part, (x, y))
    noise = rng.integers(-3, 4, (256, 1024, 3), dtype=np.int8)
    noise = np.tile(noise, (-(-height // 256), -(-width // 1024), 1))[:height, :width]
    pixels = np.clip(np.asarray(canvas, dtype=np.int16) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    exif = camera_exif(rng, (width, height), _preview(canvas))
    quality = int(rng.integers(85, 96))
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=("4:2:2", "4:2:0")[seed % 2], exif=exif)
    return file.getvalue()


def photographs(folder: Path, count: int, size: tuple[int, int] | None = None) -> Path:
    """A folder with `count` JPEGs, made once and kept."""
    folder = folder / f"photos-{RECIPE}-{count}-{'x'.join(map(str, size or ('full',)))}"
    if not folder.exists():
        making = folder.with_suffix(".making")
        making.mkdir(parents=True, exist_ok=True)
        work = [(making / f"{seed:05d}.jpg", seed, size) for seed in range(count)]
        if count < 100:
            for item in work:
                _write(*item)
        else:
            with mp.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
                pool.starmap(_write, work, chunksize=8)
        making.rename(folder)
    return folder


def _write(path: Path, seed: int, size: tuple[int, int] | None) -> None:
    path.write_bytes(photograph(seed, size))


def _preview(canvas: Image.Image) -> bytes:
    small = io.BytesIO()
    canvas.resize((160, 120)).save(small, "JPEG", quality=80)
    return small.getvalue()


# EXIF 2.32 and TIFF 6.0 field types: (tag, type, values)
Entry = tuple[int, int, bytes | list[int]]
ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 2, 3, 4, 5, 7, 10
_CODES = {1: "B", SHORT: "H", LONG: "I", RATIONAL: "I", SRATIONAL: "i"}


def camera_exif(rng: np.random.Generator, size: tuple[int, int], preview: bytes) -> bytes:
    """The EXIF block of a camera: three directories, GPS for one in four, a maker note of 3 to 4 KB, a preview."""
    maker = ("Canon", "NIKON CORPORATION")[rng.integers(2)]
    zeroth = [
        (0x010E, ASCII, b"a photograph drawn from a seed"),
        (0x010F, ASCII, maker.encode()),
        (0x0110, ASCII, f"{maker.split()[0]} Bench {rng.integers(10, 99)}D".encode()),
        (0x0112, SHORT, [int(rng.choice([1, 1, 1, 1, 6, 8]))]),
        (0x011A, RATIONAL, [72, 1]),
        (0x011B, RATIONAL, [72, 1]),
        (0x0128, SHORT, [2]),
        (0x0131, ASCII, b"firmware 1.1.1"),
        (0x0132, ASCII, _moment(rng)),
        (0x0213, SHORT, [2]),
        (0x8769, LONG, [0]),
    ]
    if rng.integers(4) == 0:
        zeroth.append((0x8825, LONG, [0]))
    block = bytearray(b"II*\0\x08\0\0\0")
    end_of_zeroth = _append(block, zeroth)
    _patch(block, 8, 0x8769, len(block))
    exif = _exif_entries(rng, size)
    start = len(block)
    _append(block, exif)
    note = _canon_note(rng, len(block)) if maker == "Canon" else _nikon_note(rng)
    _patch(block, start, 0x927C, len(block), len(note))
    block += note
    if any(tag == 0x8825 for tag, _, _ in zeroth):
        _patch(block, 8, 0x8825, len(block))
        _append(block, _gps_entries(rng))
    struct.pack_into("<I", block, end_of_zeroth, len(block))
    first = len(block)
    _append(block, [(0x0103, SHORT, [6]), (0x0201, LONG, [0]), (0x0202, LONG, [len(preview)])])
    _patch(block, first, 0x0201, len(block))
    return b"Exif\0\0" + bytes(block) + preview


def _moment(rng: np.random.Generator) -> bytes:
    month, day, hour, minute = rng.integers(1, 13), rng.integers(1, 29), rng.integers(24), rng.integers(60)
    return f"2019:{month:02d}:{day:02d} {hour:02d}:{minute:02d}:30".encode()


def _exif_entries(rng: np.random.Generator, size: tuple[int, int]) -> list[Entry]:
    thousandths = int(rng.integers(1, 900))
    return [
        (0x829A, RATIONAL, [1, int(rng.integers(2, 2000))]),
        (0x829D, RATIONAL, [int(rng.integers(14, 160)), 10]),
        (0x8822, SHORT, [2]),
        (0x8827, SHORT, [int(rng.choice([100, 200, 400, 800, 1600]))]),
        (0x9000, UNDEFINED, b"0221"),
        (0x9003, ASCII, _moment(rng)),
        (0x9004, ASCII, _moment(rng)),
        (0x9101, UNDEFINED, b"\1\2\3\0"),
        (0x9102, RATIONAL, [3, 1]),
        (0x9201, SRATIONAL, [thousandths * 10, 1000]),
        (0x9202, RATIONAL, [4970854, 1000000]),
        (0x9204, SRATIONAL, [int(rng.integers(-6, 7)), 3]),
        (0x9205, RATIONAL, [362, 100]),
        (0x9207, SHORT, [5]),
        (0x9208, SHORT, [0]),
        (0x9209, SHORT, [16]),
        (0x920A, RATIONAL, [int(rng.integers(18, 300)), 1]),
        (0x927C, UNDEFINED, b"note and offset"),
        (0x9286, UNDEFINED, bytes(264)),
        (0x9290, ASCII, b"42"),
        (0x9291, ASCII, b"42"),
        (0xA000, UNDEFINED, b"0100"),
        (0xA001, SHORT, [1]),
        (0xA002, LONG, [size[0]]),
        (0xA003, LONG, [size[1]]),
        (0xA20E, RATIONAL, [3888000, 876]),
        (0xA20F, RATIONAL, [2592000, 583]),
        (0xA210, SHORT, [2]),
        (0xA401, SHORT, [0]),
        (0xA402, SHORT, [0]),
        (0xA403, SHORT, [0]),
        (0xA406, SHORT, [0]),
    ]


def _gps_entries(rng: np.random.Generator) -> list[Entry]:
    degrees = [int(rng.integers(0, 89)), 1, int(rng.integers(0, 60)), 1, int(rng.integers(0, 6000)), 100]
    return [
        (0x00, 1, [2, 2, 0, 0]),
        (0x01, ASCII, b"N"),
        (0x02, RATIONAL, degrees),
        (0x03, ASCII, b"E"),
        (0x04, RATIONAL, degrees),
        (0x05, 1, [0]),
        (0x06, RATIONAL, [int(rng.integers(0, 3000)), 1]),
        (0x07, RATIONAL, [12, 1, 30, 1, 15, 1]),
        (0x1D, ASCII, b"2019:05:04"),
    ]


def _shorts(rng: np.random.Generator, count: int) -> list[int]:
    return [2 * count, *map(int, rng.integers(0, 8, count - 1))]


def _canon_note(rng: np.random.Generator, at: int) -> bytes:
    """As Canon writes it: a directory without a label, offsets from the start of the block; arrays of settings."""
    entries: list[Entry] = [
        (0x01, SHORT, _shorts(rng, 47)),
        (0x02, SHORT, _shorts(rng, 4)),
        (0x03, SHORT, _shorts(rng, 4)),
        (0x04, SHORT, _shorts(rng, 34)),
        (0x06, ASCII, b"Canon Bench 40D"),
        (0x07, ASCII, b"Firmware Version 1.0.8"),
        (0x09, ASCII, b"nobody"),
        (0x0D, UNDEFINED, rng.bytes(1024)),
        (0x10, LONG, [0x80000190]),
        (0x13, SHORT, _shorts(rng, 4)),
        (0x26, SHORT, _shorts(rng, 48)),
        (0x83, LONG, [0]),
        (0x93, SHORT, _shorts(rng, 21)),
        (0x95, ASCII, b"EF-S17-85mm f/4-5.6 IS USM".ljust(63, b"\0")),
        (0x96, ASCII, b"H0301337"),
        (0x97, UNDEFINED, rng.bytes(1024)),
        (0x98, SHORT, _shorts(rng, 4)),
        (0x99, LONG, [int(n) for n in rng.integers(0, 9, 53)]),
        (0xAA, SHORT, _shorts(rng, 6)),
        (0xB4, SHORT, [1]),
        (0xE0, SHORT, _shorts(rng, 17)),
        (0x4001, SHORT, [int(n) for n in rng.integers(0, 4000, 796)]),
        (0x4003, SHORT, _shorts(rng, 11)),
    ]
    block = bytearray(at)
    _append(block, entries)
    return bytes(block[at:])


def _nikon_note(rng: np.random.Generator) -> bytes:
    """Nikon's third generation: a TIFF header of its own after ten bytes."""
    entries: list[Entry] = [
        (0x01, UNDEFINED, b"0210"),
        (0x02, SHORT, [0, 200]),
        (0x04, ASCII, b"RAW    "),
        (0x05, ASCII, b"AUTO        "),
        (0x06, ASCII, b"AUTO  "),
        (0x07, ASCII, b"AF-C  "),
        (0x08, ASCII, b"            "),
        (0x0B, SHORT, [0]),
        (0x0C, RATIONAL, [553, 256, 331, 256, 1, 1, 1, 1]),
        (0x0E, UNDEFINED, b"\0\1\6\0"),
        (0x11, LONG, [0]),
        (0x12, UNDEFINED, b"\0\1\6\0"),
        (0x81, ASCII, b"NORMAL   "),
        (0x84, RATIONAL, [18, 1, 70, 1, 35, 10, 45, 10]),
        (0x87, 1, [0]),
        (0x88, UNDEFINED, bytes(4)),
        (0x89, SHORT, [0]),
        (0x8C, UNDEFINED, rng.bytes(1108)),
        (0x90, ASCII, b"NATURAL    "),
        (0x91, UNDEFINED, rng.bytes(465)),
        (0x95, ASCII, b"OFF "),
        (0x97, UNDEFINED, rng.bytes(1024)),
        (0x98, UNDEFINED, rng.bytes(31)),
        (0xA7, LONG, [int(rng.integers(1, 50000))]),
        (0xA9, ASCII, b"                "),
        (0xAB, ASCII, b"                "),
    ]
    inner = bytearray(b"II*\0\x08\0\0\0")
    _append(inner, entries)
    return b"Nikon\0\2\x10\0\0" + bytes(inner)


def _append(block: bytearray, entries: list[Entry]) -> int:
    """Append a directory and its values; offsets count from the start of the block. Returns where its link is."""
    start = len(block)
    block += struct.pack("<H", len(entries)) + bytes(12 * len(entries) + 4)
    for number, (tag, kind, values) in enumerate(entries):
        if isinstance(values, bytes):
            data, count = (values + b"\0" if kind == ASCII else values), len(values) + (kind == ASCII)
        else:
            data = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
            count = len(values) // 2 if kind in (RATIONAL, SRATIONAL) else len(values)
        slot = data.ljust(4, b"\0")
        if len(data) > 4:
            slot = struct.pack("<I", len(block))
            block += data + bytes(len(data) % 2)
        struct.pack_into("<HHI4s", block, start + 2 + 12 * number, tag, kind, count, slot)
    return start + 2 + 12 * len(entries)


def _patch(block: bytearray, directory: int, tag: int, value: int, count: int | None = None) -> None:
    """Set an entry's value, and its count."""
    (entries,) = struct.unpack_from("<H", block, directory)
    for at in range(directory + 2, directory + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", block, at)[0] == tag:
            struct.pack_into("<I", block, at + 8, value)
            if count is not None:
                struct.pack_into("<I", block, at + 4, count)
