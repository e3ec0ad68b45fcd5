"""Find the EXIF block of a picture: encoded bytes in, the position of its TIFF header out.

Only container structure is walked (JPEG segments up to the first scan, PNG and WebP chunks, ISO boxes), so the
time does not grow with the pixels. Offsets inside EXIF may point anywhere after the header, so a position in the
whole file is returned and nothing is copied.
"""

from collections.abc import Iterator
from typing import NamedTuple

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0-7, SOI
_END_OF_HEADERS = frozenset({0xD9, 0xDA})  # EOI, SOS
_MAX_PARTS = 65_536  # segments, chunks, boxes or items looked at, whatever a damaged file claims to have
_HEADER_FIRST = (b"JFIF", b"JFXX", b"OLYM", b"Phot")


class Block(NamedTuple):
    """Where an EXIF block starts.

    Attributes:
        start: position in the file of the TIFF header ("II" or "MM"), in bytes.
        has_jfif_first: whether a JPEG begins with another application segment; exifread then reads the relative
            offsets of Nikon's maker notes 18 bytes later, and its wording is what `tags` holds.
    """

    start: int
    has_jfif_first: bool = False


def find_exif(data: bytes) -> Block | None:
    """Return the first EXIF block of a JPEG, PNG, WebP, TIFF, HEIC or AVIF file.

    Args:
        data: the whole file, or at least its beginning up to the end of the EXIF block.

    Returns:
        The block, or None when the format has none, is unknown or is broken before one is reached.
    """
    if data[:2] == b"\xff\xd8":
        return _in_jpeg(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return Block(0)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _in_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _in_webp(data)
    if data[4:8] == b"ftyp":
        return _in_heif(data)
    return None


def _in_jpeg(data: bytes) -> Block | None:
    """JPEG, ITU-T T.81 annex B: marker segments follow each other until a scan starts."""
    at = 2
    for _ in range(_MAX_PARTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE or marker == 0:  # padding between segments
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _END_OF_HEADERS:
            return None
        if marker == 0xE1 and data[at + 4 : at + 8] == b"Exif":
            return Block(at + 10, has_jfif_first=data[2] == 0xFF and data[6:10] in _HEADER_FIRST)
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _in_png(data: bytes) -> Block | None:
    """PNG, third edition, section 11.3.3.4: the eXIf chunk holds the block without a prefix."""
    at = 8
    for _ in range(_MAX_PARTS):
        kind = data[at + 4 : at + 8]
        if kind == b"eXIf":
            return Block(_after_prefix(data, at + 8))
        if kind in {b"", b"IEND"}:
            return None
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return None


def _in_webp(data: bytes) -> Block | None:
    """WebP container: RIFF chunks of even length; some writers keep JPEG's "Exif" prefix."""
    at = 12
    for _ in range(_MAX_PARTS):
        if at + 8 > len(data):
            return None
        if data[at : at + 4] == b"EXIF":
            return Block(_after_prefix(data, at + 8))
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return None


def _after_prefix(data: bytes, at: int) -> int:
    return at + 6 if data[at : at + 4] == b"Exif" else at


def _in_heif(data: bytes) -> Block | None:
    """HEIF, ISO/IEC 23008-12 annex A.2.1: an item of type Exif, placed by the item location box."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box[0] == b"meta"), None)
    if meta is None:
        return None
    boxes = {kind: (start, end) for kind, start, end in _boxes(data, meta[1] + 4, meta[2])}
    item = _exif_item(data, *boxes.get(b"iinf", (0, 0)))
    if item is None or b"iloc" not in boxes:
        return None
    place = _item_place(data, item, *boxes[b"iloc"])
    if place is None:
        return None
    in_idat, start = place
    start += boxes.get(b"idat", (0, 0))[0] if in_idat else 0
    start += 4 + int.from_bytes(data[start : start + 4], "big")  # the length of a prefix such as "Exif\0\0"
    return Block(start) if start < len(data) else None


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, end) of the content of each ISO base media box (ISO/IEC 14496-12, 4.2) in a range."""
    end = min(end, len(data))
    for _ in range(_MAX_PARTS):
        if at + 8 > end:
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:  # up to the end of the file
            size = end - at
        if size < head:
            return
        yield data[at + 4 : at + 8], at + head, min(at + size, end)
        at += size


def _exif_item(data: bytes, start: int, end: int) -> int | None:
    """Item number of type Exif in an item information box (ISO/IEC 14496-12, 8.11.6)."""
    if end - start < 6:
        return None
    entries = start + (6 if data[start] == 0 else 8)  # version 0 counts in 16 bits
    for kind, at, _ in _boxes(data, entries, end):
        wide = data[at : at + 1] == b"\x03"
        after = at + (8 if wide else 6)
        if kind == b"infe" and data[after + 2 : after + 6] == b"Exif":
            return int.from_bytes(data[at + 4 : after], "big")
    return None


def _item_place(data: bytes, item: int, start: int, end: int) -> tuple[bool, int] | None:
    """(offset is within the idat box, first offset) of an item in an item location box (8.11.3)."""
    if end - start < 8:
        return None
    version = data[start]
    sizes = (data[start + 4] >> 4, data[start + 4] & 15, data[start + 5] >> 4, data[start + 5] & 15)
    number = 4 if version == 2 else 2
    at = start + 6 + number  # past the count: the entries themselves end the loop
    for _ in range(_MAX_PARTS):
        if at + number + 4 > end:
            return None
        found, at = int.from_bytes(data[at : at + number], "big"), at + number
        method = int.from_bytes(data[at : at + 2], "big") & 15 if version else 0
        at += 4 if version else 2
        base, at = int.from_bytes(data[at : at + sizes[2]], "big"), at + sizes[2]
        extents, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        index = sizes[3] if version else 0
        if found == item:
            return method == 1, base + int.from_bytes(data[at + index : at + index + sizes[0]], "big")
        at += extents * (index + sizes[0] + sizes[1])
    return None
