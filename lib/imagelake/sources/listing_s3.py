"""The objects under an `s3://` prefix, folder by folder.

Credentials and endpoint come from the usual AWS variables, through pyarrow. pyarrow lists one folder as a whole (every
page of it), so memory is bounded by the largest folder, at about 0.3 KB for each object in it, not by the prefix.
"""

import posixpath
from collections.abc import Iterator, Sequence

from pyarrow import fs

from imagelake.errors import BadItem, SourceError
from imagelake.lake.storage import storage_errors
from imagelake.sources.listing import FileItem, s3_uri
from imagelake.sources.names import is_clutter, printable
from imagelake.sources.rejects import Reject


def list_s3(source: str, reject: Reject) -> Iterator[FileItem]:
    """Yield the objects of `s3://bucket/prefix`, sorted by key; see `list_files`.

    The prefix may be one object, a folder, or the beginning of names (`s3://bucket/2024-` lists `2024-01/a.jpg`).

    Raises:
        SourceError: nothing is there.
        StorageError: the store refused.
    """
    path = source.removeprefix("s3://")
    bucket, _, key = path.partition("/")
    if not bucket:
        raise SourceError(f"{source}: no bucket is named; use s3://bucket/prefix")
    filesystem = open_s3(bucket)
    info = s3_info(filesystem, [path.rstrip("/")])[0]
    if info.type == fs.FileType.File and not path.endswith("/"):
        return iter((s3_item(source, info),))
    walk = _Walk(filesystem, reject)
    if info.type == fs.FileType.NotFound:
        if s3_info(filesystem, [bucket])[0].type == fs.FileType.NotFound:
            raise SourceError(f"{source}: no such bucket, or it is empty")
        stem = posixpath.basename(key)
        folder, origin = path.removesuffix(stem).rstrip("/"), source.removesuffix(stem)
        first = [entry for entry in walk.entries(folder, origin) if stem and entry.base_name.startswith(stem)]
    else:
        folder, origin = path.rstrip("/"), source if source.endswith("/") else source + "/"
        first = walk.entries(folder, origin)
    if not first:
        raise SourceError(f"{source}: nothing is there")
    return walk.files(first, origin)


def open_s3(bucket: str) -> fs.FileSystem:
    """The file system of a bucket, in the bucket's region.

    Raises:
        StorageError: no credentials, or no connection.
    """
    with storage_errors(f"s3://{bucket}"):
        # unlike the constructor of S3FileSystem this reads AWS_ENDPOINT_URL and finds the region
        return fs.FileSystem.from_uri(f"s3://{bucket}")[0]


def s3_info(filesystem: fs.FileSystem, paths: Sequence[str]) -> list[fs.FileInfo]:
    """What is at these paths (`bucket/key`), asked for in parallel.

    Raises:
        StorageError: the store refused.
    """
    with storage_errors("s3://" + paths[0]):
        return list(filesystem.get_file_info(list(paths)))


def s3_item(origin: str, info: fs.FileInfo) -> FileItem:
    """The item of one object."""
    return FileItem(printable(origin), s3_uri(info.path), info.size, info.mtime)


class _Walk:
    """One recursive listing in one bucket."""

    def __init__(self, filesystem: fs.FileSystem, reject: Reject) -> None:
        self._filesystem = filesystem
        self._reject = reject

    def files(self, first: list[fs.FileInfo], origin: str) -> Iterator[FileItem]:
        pending = [(origin, first)]
        while pending:
            origin, entries = pending[-1]
            if not entries:
                pending.pop()
                continue
            entry = entries.pop()
            inner = origin + entry.base_name
            if entry.type == fs.FileType.File:
                yield s3_item(inner, entry)
            else:
                pending.append((inner + "/", self.entries(entry.path, inner + "/")))

    def entries(self, path: str, origin: str) -> list[fs.FileInfo]:
        """Objects and folders in one folder, last first."""
        with storage_errors("s3://" + path):
            found = self._filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        entries = []
        for entry in found:
            if not entry.base_name or "//" in entry.path:
                message = "keys with an empty part between slashes cannot be opened"
                self._reject(printable(origin + "/"), BadItem("unreadable", message))
            elif not is_clutter(entry.base_name):
                entries.append(entry)
        entries.sort(key=lambda e: e.path if e.type == fs.FileType.File else e.path + "/", reverse=True)
        return entries
