"""Whatever the bytes say: no exception, bounded time and memory, and only values that the table takes."""

import io
import struct
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagelake.extract.exif import exif_row, fields_from_text, read_tags
from imagelake.extract.exif_values import CODES, COLUMNS, RANGES

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
MAKES = ("NIKON", "OLYMPUS", "CASIO", "SONY", "FUJIFILM", "Apple", "DJI", "Canon", "Leica")
LABELS = {"NIKON": b"Nikon\0\2\x10\0\0MM\0*\0\0\0\x08", "Apple": b"Apple iOS\0\0\1MM", "Canon": b""}


def picture(make: str, suffix: str) -> bytes:
    """A small picture with all that is read: a maker note, a position, times, texts and fractions."""
    exif = Image.Exif()
    exif.update({0x010F: make, 0x0110: "Canon EOS 5D", 0x0112: 6, 0x0131: "soft", 0x0132: "2020:01:02 03:04:05"})
    note = LABELS.get(make, b"MakerNote 12") + struct.pack(">H", 5)
    note += b"".join(struct.pack(">HHII", tag, 3, 40, 8) for tag in (1, 2, 4, 0x12, 0x26))
    exif.get_ifd(EXIF).update(
        {0x829A: 0.01, 0x829D: 2.8, 0x8827: 100, 0x9003: "2020:01:02 03:04:05", 0x9011: "+02:00", 0x9204: -0.5,
         0x9209: 16, 0x920A: 50.0, 0x9286: b"ASCII\0\0\0hello", 0x927C: note, 0x9205: 3.0, 0xA434: "lens"}
    )  # fmt: skip
    exif.get_ifd(GPS).update({1: "S", 2: (33.0, 54.0, 6.0), 3: "E", 4: (18.0, 30.0, 0.0), 5: b"\0", 6: 12.5, 17: 90.0})
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, suffix, exif=exif)
    return file.getvalue()


PICTURES = st.builds(picture, st.sampled_from(MAKES), st.sampled_from(["JPEG", "PNG", "WEBP"]))
BLOCKS = st.sampled_from(MAKES).map(lambda make: picture(make, "PNG")).map(lambda data: data[data.index(b"eXIf") + 4 :])
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 10, 12, 13, 0x7F, 0xFF, 0x8000, 0xFFFF, 1 << 31, 0xFFFFFFFF])
CHANGES = st.lists(st.tuples(st.integers(0, 4095), st.sampled_from(["B", "H", "I"]), NUMBERS), max_size=12)


def changed(data: bytes, changes: list[tuple[int, str, int]], cut: int | None) -> bytes:
    """Numbers of a picture overwritten, and its end cut off."""
    bytes_ = bytearray(data)
    for at, code, number in changes:
        width = struct.calcsize(code)
        if len(bytes_) >= width:
            start = at % (len(bytes_) - width + 1)
            bytes_[start : start + width] = struct.pack(">" + code, number % (1 << 8 * width))
    return bytes(bytes_[:cut])


def assert_fits(row: dict[str, object]) -> None:
    for name, value in row.items():
        if value is not None and name in RANGES:
            low, high = RANGES[name]
            assert isinstance(value, float)
            assert low <= value <= high
        elif value is not None and name in CODES:
            assert type(value) is int
            assert value in CODES[name]
    assert row["iso"] is None or 1 <= row["iso"] < 1 << 25
    assert (row["gps_lat"] is None) == (row["gps_lon"] is None)
    assert (row["captured_at"] is None) == (row["captured_at_has_offset"] is None)
    for value in (row["captured_at"], row["gps_at"]):
        assert value is None or 1799 <= value.year <= 2200


@settings(deadline=None, max_examples=300)
@given(PICTURES, CHANGES, st.none() | st.integers(0, 900), st.booleans())
def test_damaged_pictures(data, changes, cut, maker_notes):
    data = changed(data, changes, cut)
    start = time.process_time()
    row = exif_row(data, maker_notes=maker_notes)
    assert time.process_time() - start < 2
    assert tuple(row) == (*COLUMNS, "tags", "exif_error")
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in row["tags"].items())
    "".join(f"{name}{text}" for name, text in row["tags"].items()).encode()  # no half surrogates
    assert_fits(row)


@settings(deadline=None, max_examples=300)
@given(BLOCKS, CHANGES, st.sampled_from([b"II*\0", b"MM\0*"]), st.none() | st.integers(0, 600))
def test_damaged_blocks(block, changes, mark, cut):
    """Damage all of it within the directories, read in the right and in the wrong byte order."""
    data = mark + changed(block, changes, cut)[4:]
    start = time.process_time()
    row = exif_row(data)
    assert time.process_time() - start < 2
    assert_fits(row)


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x08ftyp", b"MM\0*", b""]),
    st.binary(),
)
def test_noise(start, noise):
    assert isinstance(read_tags(start + noise), dict)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(MAKES), st.integers(0, 700))
def test_truncation_loses_tags_and_invents_none(make, cut):
    """A cut-off picture never has a tag that the whole one lacks."""
    data = picture(make, "JPEG")
    assert set(read_tags(data[:cut], maker_notes=False)) <= set(read_tags(data, maker_notes=False))


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["Flash", "ISO", "Orientation", "GPSLatitude", "GPSLatitudeRef", "GPSTimeStamp", "GPSDateStamp",
                         "Exposure", "DateTimeOriginal", "FNumber", "Contrast", "GPSAltitude", "OffsetTimeOriginal"]),
        st.text(max_size=20) | st.integers() | st.floats() | st.from_regex(r"-?[0-9./: a-z+]{1,20}", fullmatch=True),
    )
)  # fmt: skip
def test_any_text(tags):
    assert_fits(fields_from_text(tags))
