"""What an archive may cost: the limits, the counters that hold them, and the three ways to give up.

A limit is held while bytes are decompressed, never by trusting the sizes that an archive declares.
"""

import io
from dataclasses import dataclass
from typing import BinaryIO

from imagelake.errors import BadItem

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
CHUNK_BYTES = MIB
# decompressors read ahead by a few blocks, which would otherwise count against the next member
_READ_AHEAD_BYTES = 16 * KIB
# below this, a large sum over small members is no reason to distrust an archive
_TOTAL_RATIO_FLOOR_BYTES = 256 * MIB


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits on the expansion of one archive and everything inside it.

    Attributes:
        depth: archives inside archives; the archive named by the user has depth 1.
        members: members of all levels together.
        total_bytes: bytes decompressed at all levels together.
        archive_bytes: bytes of one archive inside an archive (they go to a temporary file above 64 MiB).
        picture_bytes: bytes of one picture (they are held in memory).
        ratio: decompressed bytes over compressed bytes, of one member and of the whole archive.
        ratio_floor_bytes: members that decompress to no more than this are not checked for their ratio.
    """

    depth: int = 8
    members: int = 10_000_000
    total_bytes: int = TIB
    archive_bytes: int = 2 * GIB
    picture_bytes: int = 512 * MIB
    ratio: float = 1000.0
    ratio_floor_bytes: int = 10 * MIB


class MemberFault(BadItem):
    """One member is bad; the archive goes on."""


class ArchiveFault(BadItem):
    """One archive cannot be read further; the archive around it goes on."""


class ExpansionFault(BadItem):
    """A limit on the whole expansion is reached; everything stops."""


class Budget:
    """Counts members and decompressed bytes over all levels of one archive named by the user."""

    def __init__(self, limits: ArchiveLimits, archive_bytes: int) -> None:
        self.limits = limits
        self.members = 0
        self.total_bytes = 0
        self._max_expanded_bytes = max(_TOTAL_RATIO_FLOOR_BYTES, limits.ratio * archive_bytes)

    def count_member(self) -> None:
        """Account for one member.

        Raises:
            ExpansionFault: `archive_too_many_members`.
        """
        self.members += 1
        if self.members > self.limits.members:
            raise ExpansionFault("archive_too_many_members", f"more than {self.limits.members:,} members")

    def spend(self, size_bytes: int) -> None:
        """Account for decompressed bytes.

        Raises:
            ExpansionFault: `archive_too_large`, or `archive_ratio` when all levels together expand more than any
                collection of pictures does (nested bombs keep each single ratio low).
        """
        self.total_bytes += size_bytes
        if self.total_bytes > self.limits.total_bytes:
            raise ExpansionFault("archive_too_large", f"more than {self.limits.total_bytes:,} bytes")
        if self.total_bytes > self._max_expanded_bytes:
            raise ExpansionFault(
                "archive_ratio", f"expands to more than {self.limits.ratio:g} times its size over all levels"
            )

    def check_ratio(self, name: str, compressed_bytes: int, expanded_bytes: int) -> None:
        """Compare what one member took from the archive with what it gave so far.

        Raises:
            ArchiveFault: `archive_ratio`.
        """
        if expanded_bytes <= self.limits.ratio_floor_bytes:
            return
        if expanded_bytes > self.limits.ratio * (compressed_bytes + _READ_AHEAD_BYTES):
            raise ArchiveFault(
                "archive_ratio", f"{name} expands to more than {self.limits.ratio:g} times its compressed size"
            )


@dataclass(frozen=True)
class ArchiveSource:
    """One open archive: a seekable file, its origin for messages, and the counters of the whole expansion."""

    file: BinaryIO
    origin: str
    budget: Budget


class SourceFile(io.RawIOBase):
    """A seekable binary file of any kind as an `io` object.

    Its own read errors become `ArchiveFault('unreadable')`, so that a lost connection is told from bad bytes:
    decompressors report those with OSError too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true: every archive is a local file, an object of a store or a spooled member."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, and return the new position in bytes."""
        try:
            self._file.seek(offset, whence)
            return self._file.tell()
        except (OSError, ValueError) as error:
            raise ArchiveFault("unreadable", f"cannot seek: {error}") from error

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill the buffer from the file and return the number of bytes."""
        try:
            data = self._file.read(len(buffer))
        except OSError as error:
            raise ArchiveFault("unreadable", f"cannot read: {error}") from error
        buffer[: len(data)] = data
        return len(data)


def buffered(file: BinaryIO) -> BinaryIO:
    """The file behind `SourceFile` and a buffer of 1 MiB: few requests when it is an object in a store."""
    return io.BufferedReader(SourceFile(file), MIB)
