"""The central directory of a zip, read as a stream: one record in memory at a time, however many there are.

`zipfile` holds about 1 KB for each member before the first can be read: 10 GB for the ten million that an archive
may have here. Layout of all records: APPNOTE.TXT 6.3.10, section 4.3 and 4.5.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from imagelake.sources.archive_entry import utc_from_seconds
from imagelake.sources.archive_kind import TAIL_BYTES, find_end_record
from imagelake.sources.archive_limits import ArchiveFault

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4s6H3L5H2L")
_READ_BYTES = 256 * 1024
_UTF8_FLAG = 0x800
_NTFS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ZipRecord:
    """One member as the central directory describes it; `header_at` is where its local header starts in the file."""

    name: str
    flags: int
    method: int
    crc32: int
    compressed_bytes: int
    size_bytes: int
    unix_mode: int
    modified_at: datetime | None
    header_at: int


@dataclass(frozen=True, slots=True)
class _Directory:
    start: int
    size_bytes: int
    members: int
    shift: int  # bytes in front of the zip, which its offsets do not know of


def zip_records(file: BinaryIO) -> Iterator[ZipRecord]:
    """Every member of the central directory, in its order.

    Raises:
        ArchiveFault: `corrupt_archive`, at once or after the members before the damage.
    """
    directory = _find_directory(file)
    buffer, at, found = b"", 0, 0
    next_read, end = directory.start, directory.start + directory.size_bytes
    while next_read < end or at < len(buffer):
        needed = _record_bytes(buffer, at)
        while len(buffer) - at < needed:
            file.seek(next_read)
            more = file.read(min(_READ_BYTES, end - next_read))
            if not more:
                raise ArchiveFault("corrupt_archive", "the zip's central directory is cut off")
            next_read += len(more)
            buffer, at = buffer[at:] + more, 0
            needed = _record_bytes(buffer, at)
        yield _record(buffer[at : at + needed], directory.shift)
        at += needed
        found += 1
    # writers without zip64 count modulo 65536
    if (found - directory.members) % 65536:
        raise ArchiveFault("corrupt_archive", f"the zip declares {directory.members} members and lists {found}")


def _find_directory(file: BinaryIO) -> _Directory:
    size = file.seek(0, 2)
    tail_at = max(0, size - TAIL_BYTES)
    file.seek(tail_at)
    tail = file.read(TAIL_BYTES)
    at = _find_end(tail)
    _, _, _, _, members, length, offset, _ = _END.unpack_from(tail, at)
    end_of_directory = tail_at + at
    end64 = _find_end64(file, end_of_directory)  # some writers add it without need, and without saturated fields
    if end64 is not None:
        end_of_directory, members, length, offset = end64
    start = end_of_directory - length
    if start < offset:
        raise ArchiveFault("corrupt_archive", "the zip's central directory is not where its end says: cut off?")
    file.seek(0)
    if start > offset and file.read(4) == b"PK\x03\x04":  # a zip stored in this one, whose own directory is cut off
        raise ArchiveFault("corrupt_archive", "the zip's central directory is another zip's: cut off?")
    return _Directory(start, length, members, start - offset)


def _find_end(tail: bytes) -> int:
    """The position of the end record; behind it may be data that is not its comment."""
    at = find_end_record(tail)
    if at < 0:
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveFault("corrupt_archive", "the zip has no central directory: cut off?")
    return at


def _find_end64(file: BinaryIO, end_at: int) -> tuple[int, int, int, int] | None:
    """Position, members, length and offset of the zip64 end record, or None when there is none."""
    if end_at < _LOCATOR64.size + _END64.size:
        return None
    file.seek(end_at - _LOCATOR64.size)
    signature, _, declared_at, _ = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
    if signature != b"PK\x06\x07":
        return None
    # data in front of the zip shifts the declared position, so look right before the locator first
    for at in (end_at - _LOCATOR64.size - _END64.size, declared_at):
        if at > end_at:
            continue
        file.seek(at)
        raw = file.read(_END64.size)
        if len(raw) == _END64.size and raw.startswith(b"PK\x06\x06"):
            _, _, _, _, _, _, _, members, length, offset = _END64.unpack(raw)
            return at, members, length, offset
    raise ArchiveFault("corrupt_archive", "the zip64 end record is missing")


def _record_bytes(buffer: bytes, at: int) -> int:
    if len(buffer) - at < _RECORD.size:
        return _RECORD.size
    if not buffer.startswith(b"PK\x01\x02", at):
        raise ArchiveFault("corrupt_archive", "the zip's central directory is damaged")
    n_name, n_extra, n_comment = struct.unpack_from("<3H", buffer, at + 28)
    return _RECORD.size + int(n_name) + int(n_extra) + int(n_comment)


def _record(raw: bytes, shift: int) -> ZipRecord:
    (
        _,
        made_by,
        _,
        flags,
        method,
        dos_time,
        dos_date,
        crc,
        packed,
        size,
        n_name,
        n_extra,
        _,
        _,
        _,
        attributes,
        offset,
    ) = _RECORD.unpack_from(raw)
    stored_name = raw[_RECORD.size : _RECORD.size + n_name]
    extra = _extra_fields(raw[_RECORD.size + n_name : _RECORD.size + n_name + n_extra])
    wide = extra.get(0x0001, b"")
    size, wide = _widened(size, wide)
    packed, wide = _widened(packed, wide)
    offset, wide = _widened(offset, wide)
    return ZipRecord(
        name=_name(stored_name, flags, extra.get(0x7075, b"")),
        flags=flags,
        method=method,
        crc32=crc,
        compressed_bytes=packed,
        size_bytes=size,
        unix_mode=attributes >> 16 if made_by >> 8 == 3 else 0,
        modified_at=_modified_at(extra, dos_date, dos_time),
        header_at=offset + shift,
    )


def _widened(value: int, wide: bytes) -> tuple[int, bytes]:
    """A 32-bit field, or the next 64-bit value of the zip64 extra field when the former is saturated (4.5.3)."""
    if value != 0xFFFFFFFF or len(wide) < 8:
        return value, wide
    return int.from_bytes(wide[:8], "little"), wide[8:]


def _extra_fields(raw: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(raw):
        tag, length = struct.unpack_from("<2H", raw, at)
        fields.setdefault(tag, raw[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def _name(stored: bytes, flags: int, unicode_path: bytes) -> str:
    """The name in UTF-8 when flagged, or from the Unicode path field (4.6.9), else in code page 437 (appendix D)."""
    if flags & _UTF8_FLAG:
        return stored.decode("utf-8", "surrogateescape")
    if len(unicode_path) > 5 and unicode_path[1:5] == zlib.crc32(stored).to_bytes(4, "little"):
        return unicode_path[5:].decode("utf-8", "surrogateescape")
    return stored.decode("cp437")


def _modified_at(extra: dict[int, bytes], dos_date: int, dos_time: int) -> datetime | None:
    """The UTC time of the Info-ZIP (0x5455) or NTFS (0x000a) field, else the DOS time, which has no zone, as UTC."""
    unix = extra.get(0x5455, b"")
    if len(unix) >= 5 and unix[0] & 1:
        return utc_from_seconds(int.from_bytes(unix[1:5], "little", signed=True))
    ntfs = extra.get(0x000A, b"")
    if len(ntfs) >= 16 and ntfs[4:6] == b"\x01\x00":
        try:
            return _NTFS_EPOCH + timedelta(microseconds=int.from_bytes(ntfs[8:16], "little") // 10)
        except OverflowError:
            return None
    try:
        return datetime(
            1980 + (dos_date >> 9), dos_date >> 5 & 15, dos_date & 31,
            dos_time >> 11, dos_time >> 5 & 63, (dos_time & 31) * 2, tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
