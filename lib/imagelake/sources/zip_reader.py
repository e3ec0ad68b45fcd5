"""The members of a zip: located by its central directory, each decompressed on its own, bounded and checked."""

import bz2
import lzma
import math
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, Protocol

from imagelake.errors import BadItem
from imagelake.sources.archive_entry import Entry, no_chunks
from imagelake.sources.archive_limits import CHUNK_BYTES, ArchiveSource, MemberFault
from imagelake.sources.zip_directory import ZipRecord, zip_records

_LOCAL = struct.Struct("<4s5H3L2H")
_INPUT_BYTES = 64 * 1024  # more, and the ratio of a bomb would be seen late
_LZMA = 14
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000  # traditional or AES, strong, masked directory
_DECODE_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)  # bz2 reports bad data as OSError


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Stored:
    """Method 0: the bytes as they are; ends with its input."""

    eof = False
    needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:  # noqa: ARG002 - the input is never longer
        return data


class _Deflate:
    """Method 8 behind the interface of `bz2` and `lzma`, which keep unread input themselves."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-15)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _lzma_decoder(file: BinaryIO) -> _Decoder:
    """Method 14: the five property bytes after a header of four (APPNOTE.TXT 5.8.8) describe a raw LZMA1 stream."""
    _, length, packed, dictionary = struct.unpack("<HHBL", file.read(9))
    if length != 5 or packed >= 9 * 5 * 5:
        raise ValueError("bad LZMA properties")
    rest, lc = divmod(packed, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


_DECODERS: dict[int, Callable[[BinaryIO], _Decoder]] = {
    0: lambda _: _Stored(),
    8: lambda _: _Deflate(),
    12: lambda _: bz2.BZ2Decompressor(),
    _LZMA: _lzma_decoder,
}


def zip_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of a zip in the order of its central directory, directories left out.

    A zip in front of which other data stands, zip64, and members of any size are read. Nothing is read of a member
    whose chunks are not asked for.

    Raises:
        ArchiveFault: `corrupt_archive`, `unreadable`.
    """
    for record in zip_records(source.file):
        if record.name.endswith("/") and record.size_bytes == 0:
            continue
        fault = _fault(record)
        chunks = no_chunks if fault else partial(_chunks, source, record)
        yield Entry(record.name, record.size_bytes, record.modified_at, fault, chunks)


def _fault(record: ZipRecord) -> BadItem | None:
    if stat.S_ISLNK(record.unix_mode):
        return BadItem("not_a_file", "a symbolic link")
    if record.flags & _ENCRYPTED_FLAGS:
        return BadItem("encrypted", "the member needs a password")
    if record.method not in _DECODERS:
        return BadItem("unsupported_format", f"zip compression method {record.method}")
    return None


def _chunks(source: ArchiveSource, record: ZipRecord) -> Iterator[bytes]:
    crc, size = 0, 0
    try:
        for chunk, consumed in _decoded(source.file, record):
            size += len(chunk)
            source.budget.spend(len(chunk))
            source.budget.check_ratio(record.name, consumed, size)
            if size > record.size_bytes:
                raise MemberFault("corrupt", f"longer than the {record.size_bytes} bytes it declares")
            crc = zlib.crc32(chunk, crc)
            yield chunk
    except _DECODE_ERRORS as error:
        raise MemberFault("corrupt", f"cannot be decompressed: {error}") from error
    except struct.error as error:
        raise MemberFault("corrupt", "cut off") from error
    if size != record.size_bytes:
        raise MemberFault("corrupt", f"{size} bytes of the {record.size_bytes} it declares")
    if crc != record.crc32:
        raise MemberFault("corrupt", f"CRC-32 is {crc:08x}, declared {record.crc32:08x}")


def _decoded(file: BinaryIO, record: ZipRecord) -> Iterator[tuple[bytes, int]]:
    """The decompressed chunks, each with the number of compressed bytes consumed so far."""
    file.seek(record.header_at)
    signature, *_, n_name, n_extra = _LOCAL.unpack(file.read(_LOCAL.size))
    if signature != b"PK\x03\x04":
        raise MemberFault("corrupt", "no local header where the central directory points")
    start = record.header_at + _LOCAL.size + n_name + n_extra
    file.seek(start)
    decoder = _DECODERS[record.method](file)
    position = file.tell()
    end = start + record.compressed_bytes
    step = CHUNK_BYTES if record.method == 0 else _INPUT_BYTES
    # LZMA need not mark its end: behind the declared size it would decode the padding of its own coder
    room = record.size_bytes if record.method == _LZMA else math.inf
    while not decoder.eof and room > 0:
        data = b""
        if decoder.needs_input:
            file.seek(position)  # the directory is read from the same file in between
            data = file.read(min(step, end - position))
            position += len(data)
        chunk = decoder.decompress(data, int(min(CHUNK_BYTES, room)))
        room -= len(chunk)
        if chunk:
            yield chunk, position - start
        elif not data and decoder.needs_input:
            return
