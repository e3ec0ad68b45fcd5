"""HEIC through the optional package pi_heif: its plugin for Pillow, and a guard before it."""

import os
import re
import threading
from typing import BinaryIO

from PIL import Image

from imagelake.errors import BadItem

_MAX_META_BYTES = 16 << 20
_lock = threading.Lock()
# ISO/IEC 14496-12, section 8.11.6: box size, "infe", version, flags, item id (2 or 4 bytes), protection, then text.
_ITEM = re.compile(rb"(.{4})infe([\x02\x03])", re.DOTALL)


def prepare_heif(file: BinaryIO) -> None:
    """Register pi_heif with Pillow and refuse files that would crash it.

    Args:
        file: the whole file, seekable; its position is moved.

    Raises:
        BadItem: `unsupported_format` without pi_heif, `corrupt` where an item's type or name is no text.
    """
    try:
        import pi_heif  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise BadItem("unsupported_format", "HEIC needs `pip install imagelake[heif]`") from error
    with _lock:
        if "HEIF" not in Image.OPEN:
            pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    _check_item_names(_meta_box(file))


def _meta_box(file: BinaryIO) -> bytes:
    """The body of the first top-level `meta` box; empty where there is none."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, kind, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        size = size or end - start
        if size < header:
            break
        if kind == b"meta":
            file.seek(start + header)
            return file.read(min(size - header, _MAX_META_BYTES))
        start += size
    return b""


def _check_item_names(meta: bytes) -> None:
    # pi_heif 1.4 makes Python strings of these bytes without asking whether it got one: a null pointer, a dead process.
    for match in _ITEM.finditer(meta):
        end = match.start() + int.from_bytes(match[1], "big")
        text = match.start() + (16 if match[2] == b"\x02" else 18)
        try:
            meta[text:end].decode()
        except UnicodeDecodeError as error:
            raise BadItem("corrupt", "an item of the HEIF file has a name that is no text") from error
