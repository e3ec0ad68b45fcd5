"""Archives of any depth as a stream of their members.

In: a zip, tar (plain, gzip, bzip2, xz), 7z, or one compressed file, as a seekable binary file. Out: one `Member` for
every file in it and in the archives inside it, with its bytes or with the reason why there are none. Nothing is
extracted to disk, so member names are harmless whatever they are; an inner archive above 64 MiB goes to an unnamed
temporary file.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import BinaryIO, cast

from imagelake.errors import BadItem
from imagelake.sources.archive_entry import Entry
from imagelake.sources.archive_kind import HEAD_BYTES, TAIL_BYTES, archive_kind
from imagelake.sources.archive_limits import (
    MIB,
    ArchiveFault,
    ArchiveLimits,
    ArchiveSource,
    Budget,
    ExpansionFault,
    MemberFault,
    buffered,
)
from imagelake.sources.names import UniqueNames, is_clutter_path, printable
from imagelake.sources.sevenzip_reader import sevenzip_entries
from imagelake.sources.tar_reader import bzip2_entries, gzip_entries, tar_entries, xz_entries
from imagelake.sources.zip_reader import zip_entries

__all__ = ["HEAD_BYTES", "TAIL_BYTES", "ArchiveLimits", "Member", "archive_kind", "expand"]

_SPOOL_BYTES = 64 * MIB
_READERS: dict[str, Callable[[ArchiveSource], Iterator[Entry]]] = {
    "zip": zip_entries,
    "tar": tar_entries,
    "gz": gzip_entries,
    "bz2": bzip2_entries,
    "xz": xz_entries,
    "7z": sevenzip_entries,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, or an archive that could not be read (further).

    Attributes:
        origin: `archive.zip!inner.zip!name.jpg`, unique within the expansion.
        data: the bytes; None when `error` is set, or when `skip` said that the member is known.
        size_bytes: the length of `data`; without data what the archive declares (0 if it declares nothing).
        modified_at: UTC; None when the archive has no usable time. Times of a zip without the UTC field are taken
            as if they were UTC.
        error: the reason why there are no bytes, or None.
    """

    origin: str
    data: bytes | None
    size_bytes: int
    modified_at: datetime | None
    error: BadItem | None


def expand(
    opener: Callable[[], AbstractContextManager[BinaryIO]],
    origin: str,
    kind: str,
    limits: ArchiveLimits | None = None,
    *,
    skip: Callable[[str, int], bool] | None = None,
) -> Iterator[Member]:
    """Yield every file of an archive and of the archives inside it, in the order of the archive.

    At most one member, and one inner archive for each level (64 MiB of it), is held in memory. Directories and
    clutter (see `is_clutter`) are left out.

    Args:
        opener: opens the archive: a file, or a context manager that gives one, with read, seek and tell. It is
            closed at the end.
        origin: the archive's own origin, the first part of the origin of every member.
        kind: what `archive_kind` said.
        limits: see `ArchiveLimits`; None means the defaults.
        skip: called with the origin and the declared size of each member before its bytes are touched; True means
            that it is known, and it is yielded without data. From a zip, a plain tar or the end of a 7z block its
            bytes are then not even read. Archives inside the archive are asked for too.

    Yields:
        Members whose `error` has one of these reasons. For one member: `corrupt`, `encrypted`, `not_a_file`,
        `unsupported_format`, `member_too_large`. For one archive, in place of it or after what could be read:
        `corrupt_archive`, `encrypted`, `unsupported_format`, `unreadable`, `archive_too_deep`, `archive_ratio`. For
        the archive named by the user, ending everything: `archive_too_many_members`, `archive_too_large`,
        `archive_ratio`.

    Raises:
        OSError: the temporary folder is full.
    """
    limits = limits or ArchiveLimits()
    with ExitStack() as stack:
        try:
            source_file = buffered(stack.enter_context(opener()))
        except OSError as error:
            yield _failed(origin, BadItem("unreadable", f"cannot be opened: {error}"))
            return
        try:
            budget = Budget(limits, source_file.seek(0, 2))
            yield from _Expansion(budget, skip or _skip_nothing).archive(source_file, origin, kind, 1)
        except (ExpansionFault, ArchiveFault) as fault:
            yield _failed(origin, fault)


def _skip_nothing(origin: str, size_bytes: int) -> bool:  # noqa: ARG001
    return False


def _failed(origin: str, fault: BadItem, entry: Entry | None = None) -> Member:
    # a plain BadItem: the subclasses only steer the expansion
    error = BadItem(fault.reason, fault.message)
    return Member(origin, None, entry.size_bytes if entry else 0, entry.modified_at if entry else None, error)


class _Expansion:
    """The recursion over one archive named by the user."""

    def __init__(self, budget: Budget, skip: Callable[[str, int], bool]) -> None:
        self._budget = budget
        self._limits = budget.limits
        self._skip = skip

    def archive(self, file: BinaryIO, origin: str, kind: str, depth: int) -> Iterator[Member]:
        unique = UniqueNames()
        try:
            for entry in _READERS[kind](ArchiveSource(file, origin, self._budget)):
                self._budget.count_member()
                if not is_clutter_path(entry.name):
                    yield from self._member(entry, f"{origin}!{unique(printable(entry.name))}", depth)
        except ArchiveFault as fault:
            yield _failed(origin, fault)

    def _member(self, entry: Entry, origin: str, depth: int) -> Iterator[Member]:
        if entry.fault is not None:
            yield _failed(origin, entry.fault, entry)
        elif self._skip(origin, entry.size_bytes):
            yield Member(origin, None, entry.size_bytes, entry.modified_at, None)
        else:
            try:
                kind, head, chunks = self._begin(entry)
            except MemberFault as fault:
                yield _failed(origin, fault, entry)
                return
            if kind is None:
                yield Member(origin, head, len(head), entry.modified_at, None)
            else:
                yield from self._inner(entry, origin, depth, kind, chain((head,), chunks))

    def _begin(self, entry: Entry) -> tuple[str | None, bytes, Iterator[bytes]]:
        """The kind of archive that a member is, its first bytes and the rest; None and all bytes for a picture."""
        chunks = entry.open_chunks()
        head = b""
        while len(head) < HEAD_BYTES and (chunk := next(chunks, b"")):
            head += chunk
        kind = archive_kind(head)
        if kind is None:
            head = b"".join(_bounded(entry, chain((head,), chunks), self._limits.picture_bytes))
            kind = archive_kind(head, head[-TAIL_BYTES:])
        return kind, head, chunks

    def _inner(self, entry: Entry, origin: str, depth: int, kind: str, chunks: Iterator[bytes]) -> Iterator[Member]:
        if depth >= self._limits.depth:
            message = f"archives inside archives are read to depth {self._limits.depth}"
            yield _failed(origin, BadItem("archive_too_deep", message), entry)
            return
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            try:
                for chunk in _bounded(entry, chunks, self._limits.archive_bytes):
                    spool.write(chunk)
            except MemberFault as fault:
                yield _failed(origin, fault, entry)
                return
            yield from self.archive(buffered(cast(BinaryIO, spool)), origin, kind, depth + 1)


def _bounded(entry: Entry, chunks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    size = 0
    if entry.size_bytes <= max_bytes:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                break
            yield chunk
    if max(size, entry.size_bytes) > max_bytes:
        raise MemberFault("member_too_large", f"more than {max_bytes:,} bytes")
