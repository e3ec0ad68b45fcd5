"""Image bytes: WebDataset-compatible tar shards written by workers, range reads by (uri, offset, length)."""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

from imagelake.lake.storage import Storage

BLOCK = tarfile.BLOCKSIZE
SHARD_BYTES = 64 << 20


@dataclass
class ShardWriter:
    """Collects pictures in memory and writes one tar shard; the name follows from the members.

    A retried task makes the same members, hence the same name: it overwrites its own shard.
    """

    storage: Storage
    run_id: str
    _parts: list[bytes] = field(default_factory=list)
    _members: list[tuple[str, int, int]] = field(default_factory=list)
    _size: int = 0

    def add(self, image_id: str, extension: str, data: bytes) -> None:
        """Add the picture as member `<image_id>.<extension>`."""
        info = tarfile.TarInfo(f"{image_id}.{extension}")
        info.size = len(data)
        info.mode = 0o644
        header = info.tobuf(tarfile.GNU_FORMAT)
        padding = bytes(-len(data) % BLOCK)
        self._members.append((image_id, self._size + len(header), len(data)))
        self._parts += (header, data, padding)
        self._size += len(header) + len(data) + len(padding)

    @property
    def is_full(self) -> bool:
        """Whether the shard has reached its size."""
        return self._size >= SHARD_BYTES

    def flush(self) -> dict[str, tuple[str, int, int]]:
        """Write the shard and start the next: image_id -> (uri, offset in bytes, length in bytes)."""
        if not self._members:
            return {}
        names = hashlib.sha256("".join(m[0] for m in self._members).encode()).hexdigest()[:16]
        relative = f"blobs/{self.run_id}-{names}.tar"
        self._parts.append(bytes(2 * BLOCK))  # end of archive
        self.storage.write(relative, b"".join(self._parts))
        places = {image_id: (relative, offset, length) for image_id, offset, length in self._members}
        self._parts, self._members, self._size = [], [], 0
        return places


def read_blobs(storage: Storage, places: Iterable[tuple[str, int, int]]) -> Iterator[bytes | OSError]:
    """Read pictures at (uri, offset, length), in order; each file is opened once while the order allows.

    Raises:
        StorageError: the object store refuses or does not answer.

    Yields:
        The bytes, or the error for that picture. Fewer bytes than asked for mean that the file
        was cut; the caller's digest tells.
    """
    with ExitStack() as stack:
        current, file = "", None
        for uri, offset, length in places:
            try:
                if uri != current or file is None:
                    stack.close()
                    current, file = uri, stack.enter_context(storage.open(uri))
                with storage.remote_errors(uri):
                    data = _read_at(file, offset, length)
            except OSError as error:
                current = ""
                yield error
            else:
                yield data


def _read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
