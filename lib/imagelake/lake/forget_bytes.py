"""The bytes of forgotten pictures out of the tar shards: overwritten in place, or the shard written anew in a store.

Places of other pictures stay what they are, and the shard stays a tar archive: the member is called `forgotten`
without an extension, so that readers of WebDataset skip it, and holds zeros.
"""

import io
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from imagelake.lake.blobs import BLOCK
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.storage import is_remote

_ZEROS = bytes(1 << 20)
_NAME = "forgotten"

# Shards with a forgotten picture, and those with bytes that no image accounts for: two writers may have stored the
# same picture at the same time, and then one copy has no row. A member is its header, its bytes and their padding;
# an archive ends with two empty blocks.
_SHARDS = """
select uri, bool_or(image_id in (from gone)) as has_gone, sum(512 + 512 * ((length_bytes + 511) // 512)) + 1024 as bytes
from images
where starts_with(uri, 'blobs/')
group by uri
"""


def erase(lake: Lake, session: Session) -> tuple[int, int]:
    """Overwrite the pictures of the session's table `gone`, all copies; what is erased already stays so.

    Returns:
        Number of members and bytes overwritten.

    Raises:
        StorageError: the object store refused.
    """
    known = {uri: (has_gone, size) for uri, has_gone, size in session.execute(_SHARDS).fetchall()}
    gone = {row[0] for row in session.execute("from gone").fetchall()}
    erased: list[int] = []
    for uri, found, _ in lake.storage.list("blobs"):
        has_gone, expected = known.get(uri, (False, 0))
        if has_gone or found != expected:
            erased += _erased_in_store(lake, uri, gone) if is_remote(lake.root) else _erased_in_place(lake, uri, gone)
    return len(erased), sum(erased)


def _erased_in_place(lake: Lake, uri: str, gone: set[str]) -> list[int]:
    """Overwrite members of a file; the zeros are on the disk before a member loses its name."""
    with Path(lake.storage.path(uri)).open("r+b") as file:
        found = _members(file, gone)
        for change in (_zero, _rename):
            for member in found:
                change(file, member)
            file.flush()
            os.fsync(file.fileno())
    return [member.size for member in found]


def _erased_in_store(lake: Lake, uri: str, gone: set[str]) -> list[int]:
    """Write the object anew; a PUT replaces all of it, or nothing."""
    memory = io.BytesIO(lake.storage.read(uri))
    found = _members(memory, gone)
    for member in found:
        _zero(memory, member)
        _rename(memory, member)
    if found:
        lake.storage.write(uri, memory.getbuffer())
    return [member.size for member in found]


def _members(file: BinaryIO, gone: set[str]) -> list[tarfile.TarInfo]:
    """The members that are named after forgotten images."""
    with tarfile.open(fileobj=file, mode="r:", ignore_zeros=True) as tar:  # goes on behind what is damaged
        return [member for member in tar if member.name.partition(".")[0] in gone]


def _zero(file: BinaryIO, member: tarfile.TarInfo) -> None:
    file.seek(member.offset_data)
    file.writelines(_ZEROS[: member.size - start] for start in range(0, member.size, len(_ZEROS)))


def _rename(file: BinaryIO, member: tarfile.TarInfo) -> None:
    header = tarfile.TarInfo(_NAME)
    header.size, header.mode = member.size, member.mode
    file.seek(member.offset_data - BLOCK)
    file.write(header.tobuf(tarfile.GNU_FORMAT))
