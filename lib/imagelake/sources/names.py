"""Names as they are stored: which files are clutter, and how any name becomes valid text.

In: names from a file system or an archive, in whatever encoding they were written. Out: text that every table,
CSV file and terminal can hold.
"""

import hashlib
import posixpath

_CLUTTER_NAMES = frozenset({".DS_Store", "Thumbs.db", "__MACOSX"})


def is_clutter(name: str) -> bool:
    """Whether one path component is written by a desktop, not by a person: it is never a picture of its own.

    These are `.DS_Store`, `Thumbs.db`, the folder `__MACOSX`, and `._*` (the resource fork that macOS writes
    beside a file). Other hidden files are pictures like any other.
    """
    return name in _CLUTTER_NAMES or name.startswith("._")


def is_clutter_path(path: str) -> bool:
    """Whether any component of a posix path is clutter (see `is_clutter`)."""
    return any(is_clutter(part) for part in path.split("/"))


def printable(name: str) -> str:
    r"""The name as valid UTF-8 text without NUL.

    Bytes that are not UTF-8 (surrogate escapes, PEP 383) become `\xNN`, lone surrogates `\udNNN`, NUL `\x00`. All
    other names are returned as they are.
    """
    if name.isascii():
        return name.replace("\0", "\\x00")
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate outside U+DC80..U+DCFF: not an escaped byte
        raw = name.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


class UniqueNames:
    """Makes the member names of one archive unique: the second `a.jpg` becomes `a.jpg#2`.

    Holds eight bytes of digest for a name, not the name, because an archive can have millions.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._repeats: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        """The name itself the first time, then the name with `#2`, `#3`, ... (the first that is free)."""
        unique = name
        while not self._add(unique):
            self._repeats[name] = self._repeats.get(name, 1) + 1
            unique = f"{name}#{self._repeats[name]}"
        return unique

    def _add(self, name: str) -> bool:
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True


def stem_of_stream(origin: str) -> str:
    """The name of the one file in a compressed stream: `photos/a.tif.gz` holds `a.tif`."""
    name = posixpath.basename(origin.rpartition("!")[2])
    stem, extension = posixpath.splitext(name)
    return stem if stem and extension.lower() in {".gz", ".bz2", ".xz"} else "content"
