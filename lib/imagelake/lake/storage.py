"""Bytes under a root that is a local folder or an `s3://` prefix: one code path, one set of credentials.

Credentials and endpoint come from the usual AWS variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, instance profiles); pyarrow and delta-rs both read them.
"""

import errno
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, unquote_to_bytes

from pyarrow import fs

from imagelake.errors import StorageError


def is_remote(uri: str) -> bool:
    """Whether the URI is in an object store."""
    return uri.startswith("s3://")


@contextmanager
def storage_errors(what: str, *, writing: bool = False) -> Iterator[None]:
    """Turn a refusal of the storage into one line that names the file; one that is missing only where it is written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not writing:
            raise
        raise StorageError(f"{what}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for messages of one line."""
    return str(error).strip().partition("\n")[0][:400] or type(error).__name__


@dataclass(frozen=True)
class Storage:
    """Files under `root`; relative paths have forward slashes."""

    root: str

    def __reduce__(self) -> tuple[type["Storage"], tuple[str]]:
        """Pickle the root only: file systems are opened where they are used."""
        return Storage, (self.root,)

    @cached_property
    def _fs_and_base(self) -> tuple[fs.FileSystem, str]:
        if is_remote(self.root):
            with storage_errors(self.root):
                filesystem, base = fs.FileSystem.from_uri(self.root)
            return filesystem, base.rstrip("/")
        return fs.LocalFileSystem(), str(Path(self.root).absolute())

    @property
    def filesystem(self) -> fs.FileSystem:
        """The pyarrow file system of the root."""
        return self._fs_and_base[0]

    def path(self, relative: str) -> str:
        """The path within `filesystem`."""
        return f"{self._fs_and_base[1]}/{relative}"

    def uri(self, relative: str) -> str:
        """The path or URI for other programs."""
        return f"{self.root.rstrip('/')}/{relative}" if is_remote(self.root) else self.path(relative)

    def exists(self, relative: str) -> bool:
        """Whether there is a file or folder."""
        with storage_errors(self.uri(relative)):
            found: fs.FileInfo = self.filesystem.get_file_info(self.path(relative))
        return bool(found.type != fs.FileType.NotFound)

    def size(self, relative: str) -> int | None:
        """Size in bytes; None where there is no file."""
        with storage_errors(self.uri(relative)):
            found = self.filesystem.get_file_info(self.path(relative))
        return found.size if found.type == fs.FileType.File else None

    def write(self, relative: str, data: bytes | memoryview) -> None:
        """Write a whole file so that readers see it complete or not at all."""
        path = self.path(relative)
        with storage_errors(self.uri(relative), writing=True):
            if is_remote(self.root):  # a PUT is atomic
                with self.filesystem.open_output_stream(path) as out:
                    out.write(data)
                return
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            temporary = f"{path}.{uuid.uuid4().hex}.tmp"
            Path(temporary).write_bytes(data)
            Path(temporary).replace(path)

    def read(self, relative: str) -> bytes:
        """Read a whole file."""
        with storage_errors(self.uri(relative)), self.filesystem.open_input_file(self.path(relative)) as file:
            return cast(bytes, file.read())

    def delete(self, relative: str) -> None:
        """Delete a file."""
        with storage_errors(self.uri(relative)):
            self.filesystem.delete_file(self.path(relative))

    def list(self, relative: str) -> Iterator[tuple[str, int, float]]:
        """Files under a folder, at any depth: (path relative to the root, size in bytes, seconds since 1970)."""
        selector = fs.FileSelector(self.path(relative), recursive=True, allow_not_found=True)
        with storage_errors(self.uri(relative)):
            infos = self.filesystem.get_file_info(selector)
        base = len(self._fs_and_base[1]) + 1
        for info in sorted(infos, key=lambda i: i.path):
            if info.type == fs.FileType.File:
                yield info.path[base:], info.size, info.mtime.timestamp()

    @contextmanager
    def open(self, uri: str) -> Iterator[BinaryIO]:
        """Open a file for random reads: relative to the root, or an absolute path or URI outside it.

        Raises:
            OSError: this file is missing or must not be read; a local file cannot be read.
            StorageError: the object store refuses or does not answer, here or while the file is read.
        """
        uri = _local_path(uri)
        with self.remote_errors(uri):
            opened = self._open(uri)
            try:
                yield opened
            finally:
                opened.close()

    @contextmanager
    def remote_errors(self, uri: str) -> Iterator[None]:
        """Tell a bad item (missing, forbidden, unreadable on this machine) from an object store that is down.

        The first is raised as OSError; the second as StorageError, which ends the job: no picture may be rejected
        because a connection was lost.
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            if not (is_remote(uri) or (is_remote(self.root) and not os.path.isabs(uri))):  # noqa: PTH117 (a string)
                raise
            if is_remote(uri) and "ACCESS_DENIED" in str(error):
                raise PermissionError(errno.EACCES, first_line(error)) from error
            raise StorageError(f"{uri}: {first_line(error)}") from error

    def _open(self, uri: str) -> BinaryIO:
        if is_remote(uri):
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return cast(BinaryIO, _bucket(bucket).open_input_file(f"{bucket}/{unquote(key)}"))
        if os.path.isabs(uri):  # noqa: PTH117 (a string)
            return Path(uri).open("rb")
        if is_remote(self.root):
            return cast(BinaryIO, self.filesystem.open_input_file(self.path(uri)))
        return Path(self.path(uri)).open("rb")


@lru_cache(maxsize=32)
def _bucket(name: str) -> fs.FileSystem:
    """The file system of a bucket: one client, with its connections, for all objects."""
    return fs.FileSystem.from_uri(f"s3://{name}")[0]


def _local_path(uri: str) -> str:
    """The path of a `file://` URI, which stands for names that are not valid UTF-8; anything else as it is."""
    if uri.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
    return uri


def spill_folder() -> str:
    """Where a connection puts what does not fit in memory: DuckDB makes it when needed and removes it.

    By default it would be `.tmp` in the working directory, which another process may be using in the same way.
    """
    return str(Path(tempfile.gettempdir()) / f"imagelake-{os.getpid()}-{uuid.uuid4().hex[:8]}")
