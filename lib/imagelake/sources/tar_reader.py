"""The members of a tar, plain or compressed, in one pass from front to back."""

import bz2
import gzip
import io
import lzma
import math
import struct
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

from imagelake.errors import BadItem
from imagelake.sources.archive_entry import Entry, no_chunks, utc_from_seconds
from imagelake.sources.archive_kind import is_tar
from imagelake.sources.archive_limits import CHUNK_BYTES, MIB, ArchiveFault, ArchiveSource, Budget
from imagelake.sources.names import stem_of_stream

_HEADER_BYTES = MIB  # a longest path is 4 KiB and the extended attributes of a file are at most 64 KiB
_EMPTY_BLOCK = bytes(tarfile.BLOCKSIZE)
# what `tarfile`, the decompressors and the parsing of hostile numbers raise on bad bytes
_BAD_BYTES = (
    tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, IndexError, OverflowError,
    struct.error, RecursionError,
)  # fmt: skip
_Decompressed = gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile


class _CountingReader(io.RawIOBase):
    """Counts the compressed bytes that a decompressor takes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.taken_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.taken_bytes += len(data)
        return len(data)


class _TarStream:
    """The bytes of a tar for `tarfile`, which only moves forward; counted, and bounded while a header is read."""

    def __init__(self, body: BinaryIO, counter: _CountingReader | None, budget: Budget) -> None:
        self._body = body
        self._counter = counter
        self._budget = budget
        self._position = 0
        self._mark = (0, 0)
        self.name_for_limits = "header"
        self.room_bytes: float = math.inf
        self.last_read = b""

    def begin(self, name: str, room_bytes: float) -> None:
        """From here on bytes belong to `name`, at most `room_bytes` of them."""
        self.name_for_limits, self.room_bytes = name, room_bytes
        self._mark = (self._taken(), self._position)

    def read(self, size: int) -> bytes:
        if size < 0:
            raise tarfile.ReadError("a size in a header is negative")
        self.room_bytes -= size
        if self.room_bytes < 0:
            raise ArchiveFault("corrupt_archive", f"a tar header claims more than {_HEADER_BYTES} bytes")
        data = self._body.read(size)
        self._position += len(data)
        self._account(len(data))
        self.last_read = data
        return data

    def seek(self, position: int) -> None:
        if position < self._position:
            raise tarfile.ReadError("a size in a header is negative")
        if self._counter is None:
            self._position = self._body.seek(position)
            return
        while self._position < position:
            data = self._body.read(min(CHUNK_BYTES, position - self._position))
            if not data:
                return
            self._position += len(data)
            self._account(len(data))

    def tell(self) -> int:
        return self._position

    def drain(self) -> None:
        """Read to the end of the compressed stream, where its checksum is, unless that is far away."""
        if self._counter is not None:
            self._body.read(_HEADER_BYTES)

    def _taken(self) -> int:
        return self._counter.taken_bytes if self._counter else self._position

    def _account(self, size: int) -> None:
        self._budget.spend(size)
        taken, position = self._mark
        self._budget.check_ratio(self.name_for_limits, self._taken() - taken, self._position - position)


def tar_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of an uncompressed tar; those that are not asked for are not read."""
    source.file.seek(0)
    return _guarded(_tar_entries(_TarStream(source.file, None, source.budget)))


def gzip_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of a tar inside a gzip stream, or the one file that the stream holds."""
    counter = _counter(source)
    return _guarded(_compressed_entries(gzip.GzipFile(fileobj=counter, mode="rb"), counter, source))


def bzip2_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of a tar inside a bzip2 stream, or the one file that the stream holds."""
    counter = _counter(source)
    return _guarded(_compressed_entries(bz2.BZ2File(counter, "rb"), counter, source))


def xz_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of a tar inside an xz stream, or the one file that the stream holds."""
    counter = _counter(source)
    return _guarded(_compressed_entries(lzma.LZMAFile(cast(BinaryIO, counter), "rb"), counter, source))


def _counter(source: ArchiveSource) -> _CountingReader:
    source.file.seek(0)
    return _CountingReader(source.file)


def _guarded(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Bad bytes anywhere end the archive: the position of everything behind them is unknown."""
    try:
        yield from entries
    except _BAD_BYTES as error:
        raise _corrupt(error) from error


def _corrupt(error: Exception) -> ArchiveFault:
    return ArchiveFault("corrupt_archive", f"cannot be read further: {error}")


def _compressed_entries(body: _Decompressed, counter: _CountingReader, source: ArchiveSource) -> Iterator[Entry]:
    with body, io.BufferedReader(body) as peekable:
        head = peekable.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
        if not counter.taken_bytes:
            raise ArchiveFault("corrupt_archive", "the file is empty")
        stream = _TarStream(peekable, counter, source.budget)
        if is_tar(head) or head == _EMPTY_BLOCK:
            yield from _tar_entries(stream)
        else:
            name = stem_of_stream(source.origin)
            stream.begin(name, math.inf)
            yield Entry(name, 0, None, None, partial(_stream_chunks, stream))


def _stream_chunks(stream: _TarStream) -> Iterator[bytes]:
    try:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
    except _BAD_BYTES as error:
        raise _corrupt(error) from error


def _tar_entries(stream: _TarStream) -> Iterator[Entry]:
    stream.begin("header", _HEADER_BYTES)
    # in this mode `tarfile` calls read, seek and tell only
    tar = tarfile.TarFile(fileobj=stream, mode="r", errors="surrogateescape")  # type: ignore[arg-type]
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # it would hold every header until the end
        end_of_member = tar.offset
        if member.size < 0:
            raise tarfile.ReadError("a size in a header is negative")
        if not member.isdir():
            yield _entry(tar, stream, member)
        stream.begin(member.name, math.inf)
        stream.seek(max(stream.tell(), end_of_member - 1))
        stream.begin("header", _HEADER_BYTES)
    if stream.last_read != _EMPTY_BLOCK:
        raise ArchiveFault("corrupt_archive", "the tar has no end mark: cut off or damaged there")
    stream.drain()


def _entry(tar: tarfile.TarFile, stream: _TarStream, member: tarfile.TarInfo) -> Entry:
    modified_at = utc_from_seconds(member.mtime)
    if not member.isreg() and member.type in tarfile.SUPPORTED_TYPES:
        what = "a link" if member.issym() or member.islnk() else "a device or pipe"
        return Entry(member.name, 0, modified_at, BadItem("not_a_file", what), no_chunks)
    return Entry(member.name, member.size, modified_at, None, partial(_chunks, tar, stream, member))


def _chunks(tar: tarfile.TarFile, stream: _TarStream, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream.begin(member.name, math.inf)
    try:
        body = tar.extractfile(member)
        while body is not None and (chunk := body.read(CHUNK_BYTES)):
            yield chunk
    except _BAD_BYTES as error:
        raise _corrupt(error) from error
