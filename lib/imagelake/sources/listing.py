"""The files of a source, as a stream.

In: what a user gives (a folder, one file, a list of paths, an `s3://` prefix). Out: one `FileItem` for each file, in
an order that does not change from run to run. One folder's names are held in memory, never the whole source.
"""

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import is_remote
from imagelake.sources.names import is_clutter, printable
from imagelake.sources.rejects import Reject, log_reject, reason_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIST_EXTENSIONS = (".txt", ".csv", ".tsv", ".parquet")


class FileItem(NamedTuple):
    r"""One file of a source.

    Attributes:
        origin: the source as the user gave it, joined with the path inside it by `/`; always valid UTF-8 (bytes of a
            name that are not become `\xNN`).
        uri: what opens the file: an absolute path; a `file://` URI with percent escapes when the path is not valid
            UTF-8 (see `local_path`); or an `s3://` URI with percent escapes, as `pyarrow.fs.FileSystem.from_uri`
            reads it.
        size_bytes: the size when it was listed.
        modified_at: UTC.
    """

    origin: str
    uri: str
    size_bytes: int
    modified_at: datetime


def list_files(source: str, reject: Reject = log_reject) -> Iterator[FileItem]:
    """Yield every file of a source, sorted by path.

    Args:
        source: a folder (read recursively), a file, a list of paths (`.txt`, `.csv`, `.tsv`, `.parquet`), or
            `s3://bucket/prefix`.
        reject: called with the origin and the reason of everything that is no file to read: `unreadable`,
            `missing`, `not_a_file`, `not_local`, `symlink_loop`. The listing goes on. By default they are logged.

    Raises:
        SourceError: there is no such source, or its list has no column of paths.
        StorageError: the object store refused.
    """
    if is_remote(source):
        return _list_remote(source, reject)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) and not source.startswith("file://"):
        scheme = source.partition(":")[0]
        advice = (
            "harvest and download fetch URLs" if scheme in {"http", "https"} else "use a path or s3://bucket/prefix"
        )
        raise SourceError(f"{printable(source)}: cannot list {scheme}:// sources; {advice}")
    return _list_local(source, reject)


def _list_remote(source: str, reject: Reject) -> Iterator[FileItem]:
    from imagelake.sources.listing_s3 import list_s3  # noqa: PLC0415 (it imports this module)
    from imagelake.sources.lists import list_of_paths  # noqa: PLC0415 (it imports this module)

    found = list_s3(source, reject)
    if not source.lower().endswith(LIST_EXTENSIONS):
        return found
    first = next(found)
    # a folder whose name ends like a list is still a folder
    return list_of_paths(source, reject) if first.origin == source else chain((first,), found)


def _list_local(source: str, reject: Reject) -> Iterator[FileItem]:
    if not source:
        raise SourceError("a source is empty; name a folder, a file or s3://bucket/prefix")
    path = local_path(source)
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        what = "no such file or folder" if reason_of(error) == "missing" else str(error)
        raise SourceError(f"{printable(source)}: {what}") from error
    if stat.S_ISDIR(status.st_mode):
        return _Walk(path, source, reject).files()
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{printable(source)}: neither a file nor a folder")
    if path.lower().endswith(LIST_EXTENSIONS):
        from imagelake.sources.lists import list_of_paths  # noqa: PLC0415 (it imports this module)

        return list_of_paths(source, reject)
    return iter((local_item(source, str(Path(path).absolute()), status),))


def local_item(origin: str, path: str, status: os.stat_result) -> FileItem:
    """The item of one local file; its path is absolute."""
    modified_at = _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
    return FileItem(printable(origin), _local_uri(path), status.st_size, modified_at)


def s3_uri(path: str) -> str:
    """The URI of `bucket/key` with percent escapes."""
    return "s3://" + quote(path, safe="/!$&'()*+,;=:@-._~")


def local_path(uri: str) -> str:
    """The path of a local file as `open` takes it: from a path, or from a `file://` URI."""
    if uri.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
    return uri


def _local_uri(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(path))
    return path


class _Walk:
    """One recursive listing of a local folder."""

    def __init__(self, path: str, origin: str, reject: Reject) -> None:
        self._reject = reject
        root = str(Path(path).absolute())
        self._start = (root.rstrip("/") + "/", origin if origin.endswith("/") else origin + "/")
        # Real paths of the trees that are walked: a link into one of them, or to a folder around one, would list files
        # twice or for ever.
        self._trees = [os.path.realpath(path)]

    def files(self) -> Iterator[FileItem]:
        path, origin = self._start
        # entries of the folders from the root down to the current one, next entry last
        pending = [(path, origin, self._names(path, origin))]
        while pending:
            path, origin, names = pending[-1]
            if not names:
                pending.pop()
                continue
            name = names.pop()
            inner = path + name
            if not name.endswith("/"):
                yield from self._file(inner, origin + name)
            elif self._may_enter(inner.removesuffix("/"), origin + name):
                pending.append((inner, origin + name, self._names(inner, origin + name)))

    def _names(self, path: str, origin: str) -> list[str]:
        """The names in one folder, folders with a slash behind, last first.

        With the slash, paths come in the order in which an object store lists them.
        """
        try:
            with os.scandir(path) as entries:
                names = [f"{e.name}/" if _is_folder(e) else e.name for e in entries if not is_clutter(e.name)]
        except OSError as error:
            self._reject(printable(origin), BadItem("unreadable", f"the folder cannot be read: {error.strerror}"))
            return []
        names.sort(reverse=True)
        return names

    def _file(self, path: str, origin: str) -> Iterator[FileItem]:
        try:
            status = os.stat(path)  # noqa: PTH116 (a Path costs as much as the call)
        except OSError as error:
            self._reject(printable(origin), BadItem(reason_of(error), f"cannot be read: {error.strerror}"))
            return
        if stat.S_ISREG(status.st_mode):
            yield local_item(origin, path, status)
        else:
            self._reject(printable(origin), BadItem("not_a_file", "a device, pipe or socket"))

    def _may_enter(self, path: str, origin: str) -> bool:
        if not Path(path).is_symlink():
            return True
        target = os.path.realpath(path)
        if any(_is_within(target, tree) for tree in self._trees):
            return False  # it is listed under its own path
        if any(_is_within(tree, target) for tree in self._trees):
            self._reject(printable(origin), BadItem("symlink_loop", "a link to a folder around the source"))
            return False
        self._trees.append(target)
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reported when it is opened as a file
        return False


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
