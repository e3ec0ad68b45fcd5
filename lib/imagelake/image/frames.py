"""How many frames does a file declare? Counted over the file's own structure, in bounded time for hostile files.

Pillow's `n_frames` walks the whole file for GIF and TIFF without a limit (millions of empty frames fit in a few
megabytes), so these two are walked here; the other formats state the number in their header.
"""

import struct
from typing import BinaryIO

from PIL import Image

from imagelake.image.codecs import DECODE_ERRORS

MAX_STEPS = 500_000  # about a quarter of a second of walking


def _skip_sub_blocks(file: BinaryIO, steps: int) -> int:
    """Move past data sub-blocks up to their zero terminator; returns the steps that are left."""
    while steps > 0:
        size = file.read(1)
        if not size or size == b"\x00":
            return steps
        file.seek(size[0], 1)
        steps -= 1
    return 0


def count_gif(file: BinaryIO, max_steps: int = MAX_STEPS) -> int:
    """Count the image descriptors of a GIF (GIF89a specification, appendix B); 1 at least."""
    file.seek(10)
    flags = file.read(1)
    if not flags:
        return 1
    file.seek(13 + _table_bytes(flags[0]))
    frames, steps = 0, max_steps
    while steps > 0:
        steps -= 1
        kind = file.read(1)
        if kind == b"\x2c":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                break
            frames += 1
            file.seek(_table_bytes(descriptor[8]) + 1, 1)  # local colour table, LZW code size
        elif kind == b"\x21":
            file.seek(1, 1)
        else:
            break
        steps = _skip_sub_blocks(file, steps)
    return max(frames, 1)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def count_tiff(file: BinaryIO, max_steps: int = MAX_STEPS) -> int:
    """Count the image file directories of a TIFF or BigTIFF (TIFF 6.0, section 2); loops end the count; 1 at least."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = 43 in head[2:4]
    offset_format, count_format, entry_bytes = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(order + offset_format, head, 8 if is_big else 4)
        while offset and offset not in seen and len(seen) < max_steps:
            file.seek(offset)
            (entries,) = struct.unpack(order + count_format, file.read(struct.calcsize(count_format)))
            seen.add(offset)
            file.seek(entries * entry_bytes, 1)
            (offset,) = struct.unpack(order + offset_format, file.read(struct.calcsize(offset_format)))
    except (struct.error, OverflowError, ValueError):
        pass  # the last directory is cut off: it counts if its beginning was there
    return max(len(seen), 1)


def count_frames(name: str, image: Image.Image, file: BinaryIO) -> int:
    """Count the frames or pages that an opened picture declares.

    Args:
        name: the format as `sniff` names it.
        image: the opened picture, in its first frame.
        file: the bytes of the picture; its position is kept.

    Returns:
        1 for a still picture or where the number cannot be read; at most 2**31 - 1.
    """
    counter = {"GIF": count_gif, "TIFF": count_tiff}.get(name)
    position = file.tell()
    try:
        frames = counter(file) if counter else int(getattr(image, "n_frames", 1))
    except DECODE_ERRORS:
        frames = 1
    file.seek(position)
    return min(max(frames, 1), 2**31 - 1)
