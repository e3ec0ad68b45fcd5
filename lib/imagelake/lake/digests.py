"""Which texts were seen: 128-bit digests in a sorted array, 16 MB and a few microseconds where there are a million."""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from imagelake.lake.session import Session
from imagelake.lake.tables import KEY_SEPARATOR, table_def

BYTES = 16
SEPARATOR: dict[str, object] = {"separator": KEY_SEPARATOR}
MERGE = 1 << 20  # new digests are kept in a set, which takes six times the memory, until there are so many


class Digests:
    """A set of texts that can be asked and added to, never listed; two texts with one digest do not happen."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sorted: npt.NDArray[np.bytes_] = np.empty(0, f"S{BYTES}")
        self._new: set[bytes] = set()
        self.add(texts)

    @staticmethod
    def of(session: Session, sql: str, parameters: dict[str, object] | None = None) -> "Digests":
        """The texts of the only column `text` that a query gives."""
        digests = Digests()
        wrapped = f"select unhex(md5(text)) as digest from ({sql})"
        parts = []
        for batch in session.batches(wrapped, parameters, 100_000):
            _, offsets, data = batch.column(0).buffers()
            if batch.num_rows:
                assert offsets is not None  # noqa: S101 (a binary column has them)
                start = np.frombuffer(offsets, np.int32)[batch.column(0).offset]
                parts.append(np.frombuffer(data, f"S{BYTES}", batch.num_rows, offset=int(start)))
        if parts:
            digests._sorted = np.sort(np.concatenate(parts))
        return digests

    @staticmethod
    def of_keys(session: Session, table: str) -> "Digests":
        """The primary keys of a table, as `row_keys` gives them; for keys of texts."""
        parts = ", ".join(f'"{column}"' for column in table_def(table).key)
        return Digests.of(session, f"select concat_ws($separator, {parts}) as text from {table}", SEPARATOR)

    def __contains__(self, text: str) -> bool:
        return not self.unseen([text])

    def unseen(self, texts: Iterable[str]) -> set[str]:
        """Those of the texts that were not added."""
        digests = {_digest(text): text for text in texts if _digest(text) not in self._new}
        keys = np.array(list(digests), f"S{BYTES}")
        if len(self._sorted):
            places = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
            known = self._sorted[places] == keys
        else:
            known = np.zeros(len(keys), bool)
        return {text for text, is_known in zip(digests.values(), known, strict=True) if not is_known}

    def known(self, texts: Iterable[str]) -> set[str]:
        """Those of the texts that were added."""
        asked = set(texts)
        return asked - self.unseen(asked)

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts."""
        self._new.update(map(_digest, texts))
        if len(self._new) >= MERGE:
            new = np.sort(np.array(list(self._new), f"S{BYTES}"))
            self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, new), new)
            self._new = set()


def _digest(text: str) -> bytes:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
