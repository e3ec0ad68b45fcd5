"""Where the EXIF block is found in files of each format."""

import io
import struct

import pytest
from PIL import Image

from imagelake.extract.exif import exif_row, read_tags
from imagelake.extract.exif_locate import find_exif
from imagelake.extract.exif_values import COLUMNS

EXIF = 0x8769
SMALL = (
    b"MM\0*\0\0\0\x08"  # three entries, with the EXIF directory at 57
    + struct.pack(">HHHI4s", 3, 0x0110, 2, 7, b"\0\0\0\x32")
    + struct.pack(">HHIHxx", 0x0112, 3, 1, 6)
    + struct.pack(">HHIII7s", EXIF, 4, 1, 57, 0, b"Camera\0")
    + struct.pack(">HHHIIIII", 1, 0x829D, 5, 1, 75, 0, 14, 5)
)


def jpeg(block: bytes, *before: bytes) -> bytes:
    segments = [*before, b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block]
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xda\0\x02" + bytes(100) + b"\xff\xd9"


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_formats_that_pillow_writes(suffix):
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    exif.get_ifd(EXIF)[0x829D] = 2.8
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, suffix, exif=exif)
    row = exif_row(file.getvalue())
    f_number = None if suffix == "TIFF" else 2.8  # Pillow writes no EXIF directory into a TIFF
    assert (row["model"], row["f_number"], row["exif_error"]) == ("Camera", f_number, None)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(SMALL),
        jpeg(SMALL, b"\xff\xe0\0\x10JFIF\0" + bytes(9)),
        jpeg(SMALL, b"\xff\xe1\0\x08http:/", b"\xff\xff", b"\xff\xe2" + struct.pack(">H", 60_000) + bytes(59_998)),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 3, b"tEXt") + bytes(7) + struct.pack(">I4s", 99, b"eXIf") + SMALL,
        b"RIFF\0\0\0\0WEBPVP8X\x03\0\0\0" + bytes(4) + b"EXIF\x50\0\0\0" + SMALL,
        b"RIFF\0\0\0\0WEBPEXIF\x50\0\0\0Exif\0\0" + SMALL,
        SMALL,
    ],
    ids=["jpeg", "jfif_first", "other_segments", "png", "webp", "webp_prefix", "tiff"],
)
def test_block_is_found(data):
    assert read_tags(data) == {
        "Image Model": "Camera",
        "Image Orientation": "Rotated 90 CW",
        "Image ExifOffset": "57",
        "EXIF FNumber": "14/5",
    }


@pytest.mark.parametrize(("version", "in_idat"), [(0, False), (1, False), (1, True), (2, False), (2, True)])
def test_heif_item_location(version, in_idat):
    """Item location boxes of every version; the block in the file or in the item data box."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", len(content) + 8, kind) + content

    def file(offset: int) -> bytes:
        entry = box(b"infe", b"\2\0\0\0\0\7\0\0Exif\0")
        number = ">I" if version == 2 else ">H"
        method = struct.pack(">H", in_idat) if version else b""
        index = bytes(4) if version else b""
        first = struct.pack(number, 1) + method + bytes(6) + b"\0\2" + (index + bytes(8)) * 2
        item = (
            struct.pack(number, 7) + method + struct.pack(">HIH", 0, 5, 1) + index + struct.pack(">II", offset - 5, 99)
        )
        places = bytes([version, 0, 0, 0, 0x44, 0x44]) + struct.pack(number, 2) + first + item
        payload = bytes(5 if in_idat else 0) + struct.pack(">I", 6) + b"Exif\0\0" + SMALL
        infos = box(b"iinf", b"\0\0\0\0\0\1" + entry)
        meta = bytes(4) + infos + box(b"iloc", places) + (box(b"idat", payload) if in_idat else b"")
        start = box(b"ftyp", b"heic\0\0\0\0mif1") + box(b"meta", meta)
        return start + box(b"mdat", payload)

    offset = 5 if in_idat else file(5).index(b"mdat") + 4
    assert read_tags(file(offset))["Image Model"] == "Camera"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", bytes(99)])
def test_no_exif_is_an_empty_row(data):
    assert exif_row(data) == {**dict.fromkeys(COLUMNS), "tags": {}, "exif_error": None}


def test_pixels_are_not_searched():
    """An "Exif" within the scan is not a block, and nothing after the start of the scan is looked at."""
    data = b"\xff\xd8\xff\xda\0\x02" + jpeg(SMALL)[2:]
    assert find_exif(data) is None


def test_first_block_counts():
    other = b"\xff\xe1" + struct.pack(">H", len(SMALL) + 8) + b"Exif\0\0" + SMALL.replace(b"Camera", b"Second")
    assert read_tags(jpeg(SMALL)[:-106] + other)["Image Model"] == "Camera"
    assert read_tags(jpeg(SMALL, other))["Image Model"] == "Second"
