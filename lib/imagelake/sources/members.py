"""The files of a data set that lies in a folder or an archive, with their origins as `imagelake ingest` writes them.

In: a path and which of its files are wanted. Out: the origin of every file, and the bytes of the wanted ones.
"""

from collections.abc import Callable, Iterator
from functools import partial

from imagelake.errors import SourceError
from imagelake.lake.storage import Storage
from imagelake.sources.archive_kind import HEAD_BYTES, archive_kind
from imagelake.sources.archives import ArchiveLimits, expand
from imagelake.sources.listing import FileItem, list_files
from imagelake.sources.names import printable

MAX_FILE_BYTES = 16 << 20  # of a text that is read
_PLAIN = (".jpg", ".jpeg", ".json", ".txt")  # everything else is looked into: it may be an archive


def members(source: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes | None]]:
    """Yield the origin of every file of a folder or archive, and of the archives in it, in the order of the source.

    Args:
        source: a path or `s3://` prefix, as it would be given to `imagelake ingest`.
        wanted: whether the bytes of a file are wanted; asked with its origin. Only jpg, json and txt files are asked
            for; others give no bytes.

    Yields:
        The origin, and the bytes of a wanted file; None for the others, and for those that cannot be read or have
        more than 16 MiB.

    Raises:
        SourceError: there is no such source, or it is an archive that cannot be read.
    """
    for item in list_files(source, lambda _origin, _bad: None):
        yield from _of_file(source, item, wanted)


def _of_file(source: str, item: FileItem, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes | None]]:
    storage = Storage(source)
    if _is_plain(item.origin):
        read = wanted(item.origin) and item.size_bytes <= MAX_FILE_BYTES
        yield item.origin, _bytes(storage, item) if read else None
        return
    opener = partial(storage.open, item.uri)
    head = _bytes(storage, item, HEAD_BYTES)
    kind = archive_kind(head) if head is not None else None
    if kind is None:
        yield item.origin, None
        return
    limits = ArchiveLimits(picture_bytes=MAX_FILE_BYTES)
    skip = partial(_is_skipped, wanted)
    for member in expand(opener, item.origin, kind, limits, skip=skip):
        if member.error is not None and member.origin == printable(source):
            raise SourceError(f"{item.origin}: {member.error.message}")
        yield member.origin, member.data


def _is_skipped(wanted: Callable[[str], bool], origin: str, _size_bytes: int) -> bool:
    return _is_plain(origin) and not wanted(origin)


def _is_plain(origin: str) -> bool:
    return origin.lower().endswith(_PLAIN)


def _bytes(storage: Storage, item: FileItem, size: int = -1) -> bytes | None:
    try:
        with storage.open(item.uri) as file:
            return file.read(size)
    except OSError:
        return None
