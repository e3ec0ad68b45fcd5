"""Formats are named by content."""

import gzip
import io
import random
import tarfile
import zipfile

import pytest
from PIL import Image

from imagelake.image.sniff import ARCHIVE_FORMATS, PICTURE_FORMATS, UNSUPPORTED_FORMATS, sniff


def encode(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (20, 10)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO", "TGA"])
def test_files_that_pillow_writes(kind: str) -> None:
    data = encode(kind)
    assert sniff(data) == kind
    assert sniff(data[:300]) == kind
    assert kind in PICTURE_FORMATS or kind in UNSUPPORTED_FORMATS


@pytest.mark.parametrize(("mode", "magic"), [("1", b"P4"), ("L", b"P5"), ("RGB", b"P6"), ("F", b"Pf")])
def test_netpbm_family(mode: str, magic: bytes) -> None:
    data = encode("PPM", mode)
    assert data.startswith(magic)
    assert sniff(data) == "PPM"


def test_archives() -> None:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.txt", "a")
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    found = {sniff(data) for data in (zipped.getvalue(), tarred.getvalue(), gzip.compress(b"a"), b"7z\xbc\xaf\x27\x1c")}
    assert found == ARCHIVE_FORMATS


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", None),
        (b"P", None),
        (b"plain text\n", None),
        (b"BMW is no bitmap, nor is this sentence", None),
        (b"\x00" * 4096, None),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00mif1avifmiaf", "MP4"),
        (b"\xff\x4f\xff\x51\x00\x2f", "JPEG2000"),
        (b"II\x2a\x00\x10\x00\x00\x00CR\x02\x00", "RAW"),
        (b"II\x2b\x00\x08\x00\x00\x00", "TIFF"),
        (b"%PDF-1.7", "PDF"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\xff\x0a", "JXL"),
        (b"  <!DOCTYPE HTML><html>", "HTML"),
        (b"<html lang=en>", "HTML"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="a">', "SVG"),
        (b"\xef\xbb\xbf<svg>", "SVG"),
        (b'<?xml version="1.0"?><rss/>', "XML"),
        (b"Rar!\x1a\x07\x01\x00", "rar"),
    ],
)
def test_signatures(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected


def test_random_bytes_are_rarely_anything() -> None:
    rng = random.Random(1)
    assert sum(sniff(rng.randbytes(64)) is not None for _ in range(20_000)) < 40
