"""The one place that talks to Pillow's openers: set up, open, and translate every failure into a `BadItem`.

Bytes come in; a Pillow image whose pixels are not decoded yet goes out, or `BadItem` with one of the reasons
`empty_file`, `not_an_image`, `unsupported_format`, `too_many_pixels`, `zero_size`, `truncated`, `corrupt`,
`out_of_memory`.
"""

import ctypes
import io
import logging
import re
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageCms, UnidentifiedImageError

from imagelake.errors import BadItem
from imagelake.image.heif import prepare_heif
from imagelake.image.sniff import HEAD_BYTES, PICTURE_FORMATS, UNSUPPORTED_FORMATS, sniff

MAX_PIXELS = 200_000_000
# Peak memory of a decode, measured with Pillow 13 at 49 megapixels: PNG 4 bytes per pixel, TIFF 5, progressive JPEG 7,
# AVIF 9, WebP 16, JPEG 2000 19. The limit of the hungry ones is divided, so that none takes more than about 1 GiB.
_LIMIT_DIVISORS = {"AVIF": 2, "HEIF": 2, "WEBP": 4, "JPEG2000": 4}

# Everything that Pillow 12 and 13, pi_heif and the C libraries below them were seen to raise on damaged files, by
# reading their `raise` statements and by fuzzing them. Only calls into them stand in a `try` with this tuple.
DECODE_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    ImageCms.PyCMSError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_FILTER_MODULE = r"(PIL|pi_heif)(\.|$)"
_TRUNCATED = re.compile(r"truncat|unexpected end|end of file|not enough|too short|premature", re.IGNORECASE)
_lock = threading.Lock()
_is_loaded = threading.Event()


def configure() -> None:
    """Prepare Pillow for this process; cheap when repeated, and safe from several threads.

    Turns Pillow's limit of pixels off (ours comes first and its warning is no answer), keeps its warnings about
    damaged metadata quiet, and loads the plugins of all accepted formats.
    """
    # `warnings.catch_warnings` swaps the filters of all threads, so one lasting filter is set instead; it is moved
    # to the front again where somebody (a test runner) has put another one before it.
    ignored = ("ignore", None, Warning, re.compile(_FILTER_MODULE), 0)
    if not warnings.filters or warnings.filters[0] != ignored:
        warnings.filterwarnings("ignore", module=_FILTER_MODULE)
    if _is_loaded.is_set():
        return
    with _lock:
        Image.MAX_IMAGE_PIXELS = None
        logging.getLogger("PIL").addHandler(logging.NullHandler())
        Image.init()
        _silence_libtiff()
        _is_loaded.set()


def _silence_libtiff() -> None:
    """Keep libtiff from printing its complaints: every failure comes back as an exception already."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    mapped = {line.split(maxsplit=5)[-1].strip() for line in maps.read_text().splitlines() if "libtiff" in line}
    for path in mapped:
        library = ctypes.CDLL(path)  # mapped already: this is the very library that Pillow calls
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def as_bad_item(error: Exception) -> BadItem:
    """Translate one of `DECODE_ERRORS` into the reason under which `failures` groups it."""
    message = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return BadItem("out_of_memory", "the decoder asked for more memory than there is")
    if isinstance(error, EOFError) or _TRUNCATED.search(message):
        return BadItem("truncated", message)
    return BadItem("corrupt", message)


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Refuse pictures without pixels and decompression bombs, before anything is allocated for them.

    Raises:
        BadItem: `zero_size` or `too_many_pixels`.
    """
    width, height = size
    if width <= 0 or height <= 0:
        raise BadItem("zero_size", f"{width} x {height} pixels")
    if width * height > max_pixels:
        raise BadItem("too_many_pixels", f"{width} x {height} pixels, the limit is {max_pixels}")


def _declared_size(name: str, head: bytes) -> tuple[int, int]:
    """Width and height as the first bytes state them, for what Pillow cannot be asked; (1, 1) where that is unknown.

    Sources: RFC 9649 (WebP) sections 2.5 to 2.7, GIF89a section 18, PNG section 11.2.1, ISO/IEC 15444-1 annex A.5.1.
    """
    try:
        if name == "GIF":
            return struct.unpack_from("<HH", head, 6)
        if name == "PNG":
            return struct.unpack_from(">II", head, 16)
        if name == "JPEG2000":
            x, y, left, top = struct.unpack_from(">IIII", head, head.index(b"\xff\x4f\xff\x51") + 8)
            return x - left, y - top
        if name == "WEBP" and head[12:16] == b"VP8X":
            width, high, height, top = struct.unpack_from("<HBHB", head, 24)
            return (high << 16 | width) + 1, (top << 16 | height) + 1
    except (struct.error, ValueError):
        pass
    return 1, 1


def _known_format(head: bytes) -> str:
    if not head:
        raise BadItem("empty_file", "the file has no bytes")
    name = sniff(head)
    if name in PICTURE_FORMATS:
        return name or ""
    if name in UNSUPPORTED_FORMATS:
        raise BadItem("unsupported_format", f"{name} is not read by imagelake")
    raise BadItem("not_an_image", f"this is {name}" if name else "no known picture format")


def open_image(data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS) -> tuple[str, Image.Image]:
    """Open a picture lazily: its header is read, its pixels are not.

    Args:
        data: the whole file, as bytes or as a seekable binary file at any position.
        max_pixels: most pixels (width times height of the first frame) that are accepted: all of them for JPEG, PNG,
            GIF, TIFF, BMP and PPM, half for AVIF and HEIF, a quarter for WebP and JPEG 2000 (they need the memory).

    Returns:
        The format as `sniff` names it, and the Pillow image in its first frame.

    Raises:
        BadItem: see the module's reasons; never `truncated` pixels, which only decoding can find.
    """
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    file.seek(0)
    head = file.read(HEAD_BYTES)
    name = _known_format(head)
    max_pixels //= _LIMIT_DIVISORS.get(name, 1)
    configure()
    if name == "HEIF":
        prepare_heif(file)
    if name == "WEBP":  # libwebp's animation decoder allocates two canvases when it is opened
        check_size(_declared_size(name, head), max_pixels)
    try:
        image = Image.open(file, formats=[name])
    except UnidentifiedImageError as error:
        check_size(_declared_size(name, head), 1 << 64)
        raise BadItem("corrupt", f"the {name} header cannot be read") from error
    except DECODE_ERRORS as error:
        raise as_bad_item(error) from error
    check_size(image.size, max_pixels)
    return name, image
