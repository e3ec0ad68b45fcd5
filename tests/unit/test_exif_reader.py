"""How the tags of an EXIF block are read; blocks are built by hand."""

import io
import logging
import re
import struct
import time
import tracemalloc
from pathlib import Path

import duckdb
import exifread
import pytest

from imagelake.extract.exif import exif_row, read_tags

ASCII, SHORT, LONG, RATIO, UNDEFINED, SIGNED_RATIO, FLOAT = 2, 3, 4, 5, 7, 10, 11
EXIF, GPS, MAKER_NOTE = 0x8769, 0x8825, 0x927C
ROOT = Path(__file__).parents[2]
Entry = tuple[int, int, int, bytes]


def ifd(order: str, at: int, entries: list[Entry], following: int = 0) -> bytes:
    """One directory at an offset of the block, its longer values behind it."""
    values_at = at + 2 + 12 * len(entries) + 4
    head, tail = struct.pack(order + "H", len(entries)), b""
    for tag, kind, count, value in entries:
        head += struct.pack(order + "HHI", tag, kind, count)
        head += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", values_at + len(tail))
        tail += value if len(value) > 4 else b""
    return head + struct.pack(order + "I", following) + tail


def tiff(main: list[Entry], order: str = ">", *, exif: list[Entry] = (), gps: list[Entry] = ()) -> bytes:
    """A TIFF file that is nothing but an EXIF block."""
    pointers = [(tag, LONG, 1, bytes(4)) for tag, part in ((EXIF, exif), (GPS, gps)) if part]
    at = [8 + len(ifd(order, 8, main + pointers))]
    at.append(at[0] + len(ifd(order, at[0], list(exif))) if exif else at[0])
    places = {EXIF: at[0], GPS: at[1]}
    pointers = [(tag, kind, 1, struct.pack(order + "I", places[tag])) for tag, kind, _, _ in pointers]
    block = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order] + ifd(order, 8, main + pointers)
    block += ifd(order, at[0], list(exif)) if exif else b""
    return block + (ifd(order, at[1], list(gps)) if gps else b"")


def ratios(*values: int, order: str = ">", code: str = "I") -> bytes:
    return struct.pack(f"{order}{len(values)}{code}", *values)


def jpeg(block: bytes) -> bytes:
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block


def plain(data: bytes) -> dict[str, str]:
    tags = exifread.process_file(io.BytesIO(data), extract_thumbnail=False)
    return {name: tag.printable for name, tag in tags.items()}


SMALL = tiff([(0x0110, ASCII, 7, b"Camera\0"), (0x0112, SHORT, 1, b"\0\6")], exif=[(0x829D, RATIO, 1, ratios(14, 5))])


@pytest.mark.parametrize("order", ["<", ">"])
def test_wording_is_that_of_exifread(order):
    """Every field type, arrays of all lengths, codes, texts in disguise, zero denominators, bytes that are no text."""
    main = [
        (0x0100, 1, 3, b"\1\2\3"), (0x0101, SHORT, 1, struct.pack(order + "H", 9)), (0x010E, ASCII, 4, b"ab\xff\0"),
        (0x010F, ASCII, 9, b"Maker\0xyz"), (0x0103, SHORT, 1, struct.pack(order + "H", 999)),
        (0x0111, LONG, 50, struct.pack(order + "50I", *range(50))),
        (0x0117, LONG, 51, struct.pack(order + "51I", *range(51))), (0x0118, 6, 2, b"\xff\1"),
        (0x0119, 8, 2, struct.pack(order + "2h", -3, 4)), (0x011A, RATIO, 2, ratios(6, 4, 8, 4, order=order)),
        (0x011B, RATIO, 1, ratios(5, 0, order=order)), (0x011D, 1, 3, b"abc"),
        (0x0132, SIGNED_RATIO, 2, ratios(-6, 4, 6, -4, order=order, code="i")),
        (0x013E, FLOAT, 2, struct.pack(order + "2f", 0.5, 2)), (0x013F, 12, 1, struct.pack(order + "d", 0.1)),
        (0x0140, SHORT, 999, bytes(1998)), (0x0141, SHORT, 1000, bytes(2000)), (0x0142, 9, 1, b"\xff\xff\xff\xff"),
        (0x0143, 13, 1, bytes(4)), (0x4746, 99, 1, bytes(4)), (0xABCD, UNDEFINED, 0, b""),
    ]  # fmt: skip
    exif = [
        (0x9000, UNDEFINED, 4, b"0232"), (0x9101, UNDEFINED, 4, b"\1\2\3\0"),
        (0x9207, RATIO, 1, ratios(10, 2, order=order)), (0x9286, UNDEFINED, 16, b"ASCII\0\0\0comment "),
        (0xA300, UNDEFINED, 1, b"\3"), (0x9286 + 7, UNDEFINED, 60, bytes(range(60))),
    ]  # fmt: skip
    data = tiff(main, order, exif=exif)
    tags = read_tags(data)
    assert tags == plain(data)
    assert len(tags) == 27
    assert tags["Image XResolution"] == "[3/2, 2]"
    assert tags["Image YResolution"] == "5/0"
    assert tags["Image DateTime"] == "[-3/2, -3/2]"
    assert tags["EXIF MeteringMode"] == "Pattern"
    assert tags["Image StripByteCounts"].endswith(", 19, ... ]")


def test_examples_of_the_documentation_run():
    statements = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "exif.md").read_text(), re.DOTALL)
    assert len(statements) >= 7
    with duckdb.connect() as lake:
        lake.execute((ROOT / "schemas" / "exif.sql").read_text())
        for statement in statements:
            lake.execute(statement)


@pytest.mark.parametrize(
    ("make", "start", "length"),
    [
        ("NIKON", b"Nikon\0\1\0", 8),
        ("NIKON CORPORATION", b"Nikon\0\2\x10\0\0MM\0*\0\0\0\x08", 18),
        ("NIKON", b"Nikon\0\2\x10\0\0MM\0\0\0\0\0\x08", 18),
        ("NIKON", b"", 0),
        ("OLYMPUS OPTICAL", b"OLYMP\0\1\0", 8),
        ("CASIO", b"", 0),
        ("SONY", b"", 0),
        ("FUJIFILM", b"FUJIFILM\x0c\0\0\0", 12),
        ("Apple", b"Apple iOS\0\0\1MM", 14),
        ("Apple", b"Samsung iOS\0MM", 14),
        ("DJI", b"", 0),
        ("Canon", b"", 0),
        ("Leica", b"", 0),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_maker_notes_as_exifread(make, start, length, order):
    assert len(start) == length
    own = "<" if make in {"FUJIFILM", "DJI"} else order
    settings = struct.pack(own + "46h", *range(46))
    entries = [(tag, SHORT, 2, struct.pack(own + "2H", tag % 5, 1)) for tag in (*range(3, 16), 0x1000, 0x1001)]
    entries += [(tag, SHORT, 46, settings) for tag in (1, 2, 4, 0x12, 0x26, 0x93)]
    note = start + ifd(own, 600, sorted(entries))  # offsets point at whatever is there
    data = tiff([(0x010F, ASCII, len(make) + 1, make.encode() + b"\0")], order, exif=[(MAKER_NOTE, 7, len(note), note)])
    data += bytes(range(256)) * 8
    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    tags = read_tags(data)
    assert tags == plain(data)
    assert ("MakerNote" in " ".join(name for name in tags if name != "EXIF MakerNote")) is (
        make != "Leica" and start not in {b"Samsung iOS\0MM", b"Nikon\0\2\x10\0\0MM\0\0\0\0\0\x08"}
    )
    brief = read_tags(data, maker_notes=False)
    assert set(brief) == {"Image Make", "Image ExifOffset"}


def test_canon_camera_info_by_model():
    info = bytes(range(256)) * 3
    note = ifd(">", 500, [(0x0D, UNDEFINED, 768, info)])
    main = [(0x010F, ASCII, 6, b"Canon\0"), (0x0110, ASCII, 13, b"Canon EOS 5D\0")]
    data = tiff(main, exif=[(MAKER_NOTE, 7, len(note), note)])
    data = data.ljust(500, b"\0") + ifd(">", 500, [(0x0D, UNDEFINED, 768, info)])[18:]
    tags = read_tags(data)
    assert tags == plain(data)
    assert "MakerNote CameraTemperature" in tags
    assert "MakerNote Tag 0x000D" not in tags


def test_long_comment_is_kept():
    """exifread leaves arrays of 1000 and more unread; a comment is worth reading."""
    comment = b"ASCII\0\0\0" + b"word " * 400
    assert read_tags(tiff([], exif=[(0x9286, 7, len(comment), comment)]))["EXIF UserComment"] == ("word " * 400).strip()


@pytest.mark.parametrize("kind", [1, 2, 3, 5, 7, 12])
@pytest.mark.parametrize("tag", [0x0110, 0x0111, 0x9286, MAKER_NOTE, GPS, 0x014A])
def test_absurd_counts_cost_nothing(tag, kind):
    entry = struct.pack(">HHII", tag, kind, 1 << 31, 8)
    data = b"MM\0*\0\0\0\x08" + struct.pack(">H", 300) + entry * 300
    tracemalloc.start()
    start = time.process_time()
    row = exif_row(data)
    spent, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 3
    assert peak < 32 << 20
    assert row["tags"]


@pytest.mark.parametrize(("kind", "count", "step", "least"), [(ASCII, 60_000, 1, 8), (SHORT, 999, 0, 1)])
def test_one_long_value_of_many_tags(kind, count, step, least):
    """Directory entries that share one long value do not multiply it."""
    tags = [0x0112 + step * number for number in range(900)]
    entries = b"".join(struct.pack(">HHII", tag, kind, count, 0x4000) for tag in tags)
    data = (b"MM\0*\0\0\0\x08" + struct.pack(">H", 900) + entries).ljust(0x4000, b"\0") + b"\1x" * 40_000
    row = exif_row(data)
    assert row["exif_error"] == "more in the EXIF block than a picture can have; the rest is left out"
    assert least <= len(row["tags"]) <= 10
    assert sum(map(len, row["tags"].values())) < 1 << 20


def test_loops_end():
    """A chain that returns to its start, and a directory that contains itself."""
    data = bytearray(tiff([(0x0110, ASCII, 2, b"a\0"), (EXIF, LONG, 1, b"\0\0\0\x08"), (GPS, LONG, 1, b"\0\0\0\x08")]))
    data[-4:] = b"\0\0\0\x20"
    data += struct.pack(">HI", 0, 8)
    data[0x2E:0x32] = struct.pack(">I", len(data) - 6)
    row = exif_row(bytes(data))
    assert row["exif_error"] == "the directories form a loop"
    assert row["tags"]["Image Model"] == "a"
    assert row["tags"]["EXIF Model"] == "a"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (jpeg(b"XX\0*\0\0\0\x09"), "no byte order mark at the start of the EXIF block"),
        (SMALL[:-14], "directory EXIF reaches beyond the end of the file"),
        (SMALL[:-3], "the value of EXIF FNumber lies beyond the end of the file"),
        (b"MM\0*\0\0\xff\xff", "directory Image reaches beyond the end of the file"),
        (SMALL, None),
    ],
)
def test_what_is_wrong_is_told(data, error):
    assert exif_row(data)["exif_error"] == error


def test_rest_of_a_damaged_block_is_read():
    assert read_tags(SMALL[:-3])["EXIF FNumber"] == plain(SMALL[:-3])["EXIF FNumber"] == "14/0"
    assert exif_row(SMALL[:-3])["model"] == "Camera"
    assert exif_row(jpeg(b"XX" + SMALL[2:]))["f_number"] == 2.8  # the order shows in the offset of the directory


def test_columns_are_those_of_the_table():
    with duckdb.connect() as lake:
        lake.execute((ROOT / "schemas" / "exif.sql").read_text())
        names = [name for name, *_ in lake.execute("describe exif").fetchall()]
    assert names == ["image_id", *exif_row(b""), "version", "source", "run_id", "computed_at"]


def test_photographic_tags_in_the_first_directory():
    data = tiff([(0x829D, RATIO, 1, ratios(4, 1)), (0x8827, SHORT, 1, b"\0\x64")])
    assert (exif_row(data)["f_number"], exif_row(data)["iso"]) == (4.0, 100)


def test_signed_ratio_of_the_file():
    data = tiff([], exif=[(0x9204, SIGNED_RATIO, 1, ratios(-1, 3, code="i"))])
    assert exif_row(data)["exposure_bias_ev"] == pytest.approx(-1 / 3)


def test_text_tags_of_a_file_in_latin_1():
    data = tiff([(0x013B, ASCII, 5, b"Ren\xe9\0"), (0x0131, ASCII, 5, b" v1 \0")])
    assert (exif_row(data)["artist"], exif_row(data)["software"]) == ("René", "v1")
    assert exif_row(data)["tags"]["Image Artist"] == r"b'Ren\xe9'"


def test_file_of_little_endian_order():
    data = tiff([(0x0112, SHORT, 1, struct.pack("<H", 8))], "<")
    assert exif_row(data)["orientation"] == 8
