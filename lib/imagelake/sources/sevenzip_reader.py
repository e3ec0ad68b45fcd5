"""The members of a 7z through the optional package py7zr (no types: hence `Any`), one at a time, none on disk."""

import lzma
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from imagelake.errors import BadItem
from imagelake.sources.archive_entry import Entry, no_chunks, utc_from_seconds
from imagelake.sources.archive_limits import CHUNK_BYTES, ArchiveFault, ArchiveSource, MemberFault

# py7zr reads this much before it decompresses. Its decompressor for zstd ignores the bound on the output, and makes
# up to 32 KiB of one byte: there the input has to be shorter.
_INPUT_BYTES = 4096
_ZSTD_INPUT_BYTES = 512
_FILETIME_EPOCH_S = 11_644_473_600  # seconds from 1601, where the times of 7z start, to 1970
# what py7zr and its decompressors raise on bad bytes, beside its own exceptions
_BAD_BYTES = (
    lzma.LZMAError, zlib.error, struct.error, EOFError, OSError, ValueError, TypeError, LookupError, AttributeError,
    AssertionError, OverflowError, MemoryError, NotImplementedError, RuntimeError,
)  # fmt: skip


def sevenzip_entries(source: ArchiveSource) -> Iterator[Entry]:
    """The members of a 7z in their order, directories left out.

    A solid block is decompressed once from its start, up to the last member that is asked for. The list of members
    is held in memory by py7zr. A block that cannot be read further does not stop the blocks behind it; each
    member that is lost with it is named.

    Raises:
        ArchiveFault: `unsupported_format` (py7zr is missing, or does not know the compression), `encrypted`,
            `corrupt_archive`, `unreadable`.
    """
    archive = _open(source)
    blocks = _Blocks(source, archive)
    for member in getattr(archive, "files", ()):
        if member.is_directory:
            continue
        size = member.uncompressed or 0
        fault = BadItem("not_a_file", "a symbolic link") if member.is_symlink else None
        chunks = no_chunks
        if member.folder is not None:
            start = blocks.place(member)
            fault = fault or blocks.fault
            chunks = partial(blocks.chunks, member, start)
        yield Entry(member.filename, size, _modified_at(member), fault, no_chunks if fault else chunks)


class _Blocks:
    """Decompresses the blocks ("folders" in 7zFormat.txt) of one archive, each forward only.

    `SevenZipFile.extract` with a writer factory pushes members through a callback, renames duplicates, and refuses
    the whole archive for one unsafe name. So this reads from the decompressor of a block itself, as py7zr's own
    worker does.
    """

    def __init__(self, source: ArchiveSource, archive: Any) -> None:
        self._source = source
        self._archive = archive
        self._folder: Any = None
        self._decoder: Any = None
        self._block_at = 0  # position of the block in the file
        self._at = 0  # decompressed bytes of the block so far
        self._end = 0  # decompressed bytes of the block up to the member placed last
        self.fault: BadItem | None = None

    def place(self, member: Any) -> int:
        """The position of a member in its block, in decompressed bytes. Members come in the order of the archive."""
        if member.folder is not self._folder:
            self._enter(member)
        start = self._end
        self._end += member.uncompressed
        return start

    def chunks(self, member: Any, start: int) -> Iterator[bytes]:
        """The bytes of a placed member, after those in front of it that nobody asked for."""
        for _ in self._pull(member.filename, start):
            pass
        crc = 0
        for chunk in self._pull(member.filename, start + member.uncompressed):
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if member.crc32 is not None and crc != member.crc32:
            raise MemberFault("corrupt", f"CRC-32 is {crc:08x}, declared {member.crc32:08x}")

    def _enter(self, member: Any) -> None:
        from py7zr.exceptions import PasswordRequired, UnsupportedCompressionMethodError  # noqa: PLC0415 - optional

        streams = self._archive.header.main_streams
        # by identity: folders that are alike would be equal
        index = next(i for i, folder in enumerate(streams.unpackinfo.folders) if folder is member.folder)
        self._block_at = self._archive.afterheader + streams.packinfo.packpos + streams.packinfo.packpositions[index]
        self._folder, self._at, self._end, self.fault = member.folder, 0, 0, None
        try:
            self._decoder = member.folder.get_decompressor(member.compressed)
            is_zstd = any(type(step).__name__ == "ZstdDecompressor" for step in self._decoder.chain)
            self._decoder.block_size = _ZSTD_INPUT_BYTES if is_zstd else _INPUT_BYTES
            self._source.file.seek(self._block_at)
        except PasswordRequired:
            self.fault = BadItem("encrypted", "the member needs a password")
        except UnsupportedCompressionMethodError as error:
            self.fault = BadItem("unsupported_format", f"7z: {error.message}")
        except _BAD_BYTES as error:
            self.fault = BadItem("corrupt", f"the block of this member cannot be read: {error}")

    def _pull(self, name: str, end: int) -> Iterator[bytes]:
        file, budget = self._source.file, self._source.budget
        begin, file_begin = self._at, file.tell()
        while self._at < end:
            chunk = self._step(min(CHUNK_BYTES, end - self._at))
            self._at += len(chunk)
            budget.spend(len(chunk))
            budget.check_ratio(name, file.tell() - file_begin, self._at - begin)
            yield chunk

    def _step(self, max_bytes: int) -> bytes:
        file = self._source.file
        position = file.tell()
        try:
            chunk = bytes(self._decoder.decompress(file, max_bytes))
        except _BAD_BYTES as error:
            raise self._dead(str(error)) from error
        if not chunk and file.tell() == position:
            raise self._dead("it ends early")
        return chunk

    def _dead(self, why: str) -> MemberFault:
        """The fault of this member and, because nothing behind it can be found, of all that follow in its block."""
        self.fault = BadItem("corrupt", f"the block of this member cannot be read further: {why}")
        return MemberFault(self.fault.reason, self.fault.message)


def _open(source: ArchiveSource) -> Any:
    try:
        import py7zr  # noqa: PLC0415 - optional
        from py7zr.exceptions import (  # noqa: PLC0415 - optional
            ArchiveError,
            PasswordRequired,
            UnsupportedCompressionMethodError,
        )
    except ImportError as error:
        raise ArchiveFault("unsupported_format", "7z archives: install imagelake[sevenzip]") from error
    source.file.seek(0)
    try:
        return py7zr.SevenZipFile(source.file, "r")
    except PasswordRequired as error:
        raise ArchiveFault("encrypted", "the list of members needs a password") from error
    except UnsupportedCompressionMethodError as error:
        raise ArchiveFault("unsupported_format", f"7z: {error.message}") from error
    except (ArchiveError, *_BAD_BYTES) as error:
        raise ArchiveFault("corrupt_archive", f"the 7z header cannot be read: {error}") from error


def _modified_at(member: Any) -> datetime | None:
    ticks = member.lastwritetime  # of 100 ns
    return None if ticks is None else utc_from_seconds(int(ticks) / 1e7 - _FILETIME_EPOCH_S)
