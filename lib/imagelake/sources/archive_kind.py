"""What kind of archive some bytes are, by content.

The magic numbers are those of each format's specification: APPNOTE.TXT 4.3 (zip), POSIX.1-2017 pax (tar), RFC 1952
(gzip), the bzip2 and xz file formats, and 7zFormat.txt.
"""

import struct

HEAD_BYTES = 1024
TAIL_BYTES = 22 + 65535 + 20  # end of central directory with the longest comment, and the zip64 locator before it

_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK", "zip"),  # one-part "spanned" zip
    (b"PK00PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b\x08", "gz"),
    (b"\xfd7zXZ\x00", "xz"),
)
_END_MAGIC = b"PK\x05\x06"
_BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")  # a block, or the end of an empty stream
# a picture with a zip behind it is a picture
_PICTURE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"8BPS", b"\0\0\1\0")


def archive_kind(head: bytes, tail: bytes = b"") -> str | None:
    """`zip`, `tar`, `gz`, `bz2`, `xz` or `7z`, or None for anything else.

    Args:
        head: the first bytes of the file; 512 are enough (`HEAD_BYTES` is what this package reads).
        tail: its last bytes (`TAIL_BYTES` cover every case). With them a zip behind other data is found too, such
            as a self-extracting program; not behind a picture, which stays a picture.

    A `gz`, `bz2` or `xz` may hold a tar or one single file: `expand` finds out.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in _BZIP2_BLOCKS:
        return "bz2"
    if is_tar(head):
        return "tar"
    return "zip" if tail and _is_zip_behind_data(head, tail) else None


def is_tar(head: bytes) -> bool:
    """Whether these bytes begin with a tar header block, with or without the `ustar` magic of POSIX."""
    if len(head) < 512:
        return False
    if head[257:262] == b"ustar":
        return True
    try:
        declared = int(head[148:156].strip(b" \0"), 8)
    except ValueError:
        return False
    # the checksum is computed as if its own field held spaces (POSIX.1, pax, "chksum")
    return declared == sum(head[:148]) + 8 * 0x20 + sum(head[156:512]) and head[0] != 0


def _is_zip_behind_data(head: bytes, tail: bytes) -> bool:
    if head.startswith(_PICTURE_MAGIC) or head[4:8] == b"ftyp":
        return False
    at = find_end_record(tail)
    return at >= 0 and tail[at + 10 : at + 12] != b"\0\0"


def find_end_record(tail: bytes) -> int:
    """Where the last bytes of a zip hold its end record: the last one whose comment ends the file; -1 without one."""
    at = tail.rfind(_END_MAGIC)
    while at >= 0:
        if len(tail) - at >= 22 and at + 22 + struct.unpack_from("<H", tail, at + 20)[0] == len(tail):
            return at
        at = tail.rfind(_END_MAGIC, 0, at)  # that one was inside the comment
    return -1
