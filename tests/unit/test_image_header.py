"""Headers are read without decoding; every kind of bad file has its reason."""

import io
import logging
import struct
import sys
import threading
import time
import tracemalloc
import warnings
import zlib

import pytest
from PIL import Image

from imagelake.errors import BadItem
from imagelake.image import codecs, frames
from imagelake.image.header import Header, read_header
from imagelake.image.heif import prepare_heif


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.new(mode, size)


def reason(data: bytes, **options: int) -> str:
    with pytest.raises(BadItem) as caught:
        read_header(data, **options)
    assert "0x" not in caught.value.message  # no addresses: messages are grouped and compared
    return caught.value.reason


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "mode", "has_alpha"),
    [
        ("JPEG", "RGB", False),
        ("JPEG", "L", False),
        ("JPEG", "CMYK", False),
        ("PNG", "P", False),
        ("PNG", "RGBA", True),
        ("PNG", "LA", True),
        ("PNG", "I;16", False),
        ("PNG", "1", False),
        ("WEBP", "RGBA", True),
        ("GIF", "P", False),
        ("TIFF", "F", False),
        ("BMP", "RGB", False),
        ("AVIF", "RGB", False),
        ("JPEG2000", "RGBA", True),
        ("PPM", "L", False),
    ],
)
def test_facts(kind: str, mode: str, has_alpha: bool) -> None:
    data = encode(plain(mode), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    expected = Header(kind, 20, 10, mode, 1, has_alpha)
    assert read_header(data) == expected
    assert read_header(io.BytesIO(data)) == expected


def test_transparent_palette_and_key_colour() -> None:
    assert read_header(encode(plain("P"), "PNG", transparency=0)).has_alpha
    assert read_header(encode(plain("RGB"), "PNG", transparency=(0, 0, 0))).has_alpha


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
def test_frames(kind: str) -> None:
    images = [Image.new("RGB", (20, 10), (60 * n, 255 - 60 * n, 9)) for n in range(4)]
    data = encode(images[0], kind, save_all=True, append_images=images[1:])
    assert read_header(data).frames == 4


def test_frames_with_extensions_and_local_tables() -> None:
    images = [Image.effect_noise((30, 20), 50 + n).convert("P") for n in range(3)]
    data = encode(images[0], "GIF", save_all=True, append_images=images[1:], comment=b"c" * 700, duration=9)
    with Image.open(io.BytesIO(data)) as image:
        assert read_header(data).frames == image.n_frames == 3
    assert read_header(encode(images[0], "TIFF", big_tiff=True)).frames == 1


def test_frames_of_hostile_files_are_bounded() -> None:
    still = encode(plain("P", (1, 1)), "GIF")
    image_block = still[still.index(b"\x2c") : -1]
    many = still[:-1] + image_block * 700_000
    started = time.process_time()
    found = read_header(many).frames
    assert time.process_time() - started < 5
    assert 10_000 < found <= frames.MAX_STEPS
    assert frames.count_gif(io.BytesIO(many), max_steps=100) < 100
    loop = b"II\x2a\x00\x08\x00\x00\x00" + struct.pack("<HI", 0, 8)
    assert frames.count_tiff(io.BytesIO(loop)) == 1
    chain = b"II\x2a\x00\x08\x00\x00\x00" + b"".join(struct.pack("<HI", 0, 14 + 6 * n) for n in range(5000))
    assert frames.count_tiff(io.BytesIO(chain), max_steps=1000) == 1000


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_sides_are_as_encoded(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(encode(plain(), kind, exif=exif))
    assert (header.width, header.height) == (20, 10)


def test_reasons() -> None:
    assert reason(b"") == "empty_file"
    assert reason(b"no picture at all") == "not_an_image"
    assert reason(b"%PDF-1.4 and more") == "not_an_image"
    assert reason(b"PK\x03\x04" + b"\x00" * 40) == "not_an_image"
    assert reason(encode(plain(), "ICO")) == "unsupported_format"
    assert reason(b"<svg></svg>") == "unsupported_format"
    assert reason(b"\xff\xd8\xff\xe0" + b"\x00" * 50) == "corrupt"
    assert reason(encode(plain(), "TIFF")[:60]) in {"corrupt", "truncated"}
    assert reason(png_of(0, 10)) == "zero_size"
    assert reason(b"GIF89a" + b"\x00" * 40) == "zero_size"


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    tracemalloc.start()
    assert reason(png_of(20_000, 10_001)) == "too_many_pixels"
    assert reason(png_of(2**31 - 1, 2**31 - 1)) == "too_many_pixels"
    webp = b"RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xfe\xff\xff" * 2
    assert reason(webp) == "too_many_pixels"
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()
    assert reason(encode(plain(), "PNG"), max_pixels=199) == "too_many_pixels"
    assert read_header(encode(plain(), "PNG"), max_pixels=200).width == 20
    assert reason(encode(plain(), "WEBP"), max_pixels=799) == "too_many_pixels"  # needs four times the memory
    assert read_header(encode(plain(), "WEBP"), max_pixels=800).width == 20
    assert read_header(png_of(20_000, 10_000)).width == 20_000  # Pillow alone would warn here


def test_heif_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(BadItem, match=r"imagelake\[heif\]") as caught:
        read_header(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    assert caught.value.reason == "unsupported_format"


def test_heif_items_whose_names_are_no_text() -> None:
    pytest.importorskip("pi_heif")

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    def file_with(text: bytes) -> io.BytesIO:
        item = box(b"infe", b"\x02\x00\x00\x00\x00\xfe\x00\x00" + text)
        return io.BytesIO(box(b"ftyp", b"heic") + box(b"free", b"") + box(b"meta", b"\x00" * 4 + box(b"iinf", item)))

    prepare_heif(file_with(b"mime\x00application/rdf+xml\x00"))
    for text in (b"mime\x00application/rdf+\xffml\x00", b"m\xffme\x00\x00"):
        with pytest.raises(BadItem) as caught:
            prepare_heif(file_with(text))
        assert caught.value.reason == "corrupt"
    assert reason(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic") == "corrupt"


def test_configure_lets_no_warning_or_log_line_out(capfd: pytest.CaptureFixture[str]) -> None:
    codecs.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codecs.configure()  # a surrounding change of the filters does not last
        warnings.warn_explicit("w", UserWarning, "f", 1, module="PIL.JpegImagePlugin")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("w", UserWarning, "f", 1, module="another.PIL")
    logging.getLogger("PIL.TiffImagePlugin").error("noise")
    lzw = bytearray(encode(Image.effect_noise((64, 64), 90), "TIFF", compression="tiff_lzw"))
    lzw[8:200] = b"\xff" * 192
    with Image.open(io.BytesIO(lzw)) as image, pytest.raises(OSError, match="decoder error"):
        image.load()
    logged = capfd.readouterr().err
    assert "noise" not in logged
    assert "LZW" not in logged


def test_many_threads_at_once() -> None:
    data = [encode(plain("RGB"), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF")]
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(30):
                assert [read_header(one).width for one in data] == [20] * len(data)
        except (AssertionError, BadItem) as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
