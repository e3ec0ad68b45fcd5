"""Files of all sources of a run, in chunks to compare with the lake and in batches to read."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice

import pyarrow as pa

from imagelake.errors import BadItem
from imagelake.lake.runs import counts_table
from imagelake.lake.tables import table_def, to_table
from imagelake.sources.listing import FileItem, list_files
from imagelake.sources.reading import FILES

CHUNK_FILES = 10_000
BATCH_FILES = 256
BATCH_BYTES = 64 << 20


@dataclass
class Listing:
    """The sources of one run. What is listed but cannot be read is kept for `rejected`."""

    sources: Sequence[str]
    run_id: str
    _rejects: dict[str, BadItem] = field(default_factory=dict)

    def chunks(self) -> Iterator[pa.Table]:
        """All files, `CHUNK_FILES` at a time: origin, uri, size_bytes, modified_at.

        Raises:
            SourceError: a source does not exist or cannot be read at all.
        """
        listings = [list_files(source, self._reject) for source in self.sources]
        files = chain.from_iterable(listings)
        schema = pa.schema([FILES.field(name) for name in FileItem._fields])
        while chunk := list(islice(files, CHUNK_FILES)):
            columns = [pa.array(values, f.type) for values, f in zip(zip(*chunk, strict=True), schema, strict=True)]
            yield pa.Table.from_arrays(columns, schema=schema)

    def batches(self, files: pa.Table) -> Iterator[dict[str, pa.Table]]:
        """Files in batches of at most 256 files and, where there is more than one, 64 MiB."""
        start, size = 0, 0
        for i, length in enumerate(files["size_bytes"].to_pylist()):
            if i > start and (i - start >= BATCH_FILES or size + length > BATCH_BYTES):
                yield {"files": files.slice(start, i - start)}
                start, size = i, 0
            size += length
        if files.num_rows > start:
            yield {"files": files.slice(start)}

    def rejected(self, known: Container[str]) -> dict[str, pa.Table]:
        """What could not be listed so far, as rows of `failures`; those that are known count as already present."""
        found = {origin: bad for origin, bad in self._rejects.items() if origin not in known}
        rows = [
            {
                "run_id": self.run_id,
                "job": "ingest",
                "item": origin,
                "stage": "list",
                "reason": bad.reason,
                "message": bad.message,
                "version": 0,
                "failed_at": datetime.now(UTC),
            }
            for origin, bad in found.items()
        ]
        total, self._rejects = len(self._rejects), {}
        counts = counts_table(read=total, already_present=total - len(rows), rejected=len(rows))
        return {"failures": to_table(table_def("failures"), rows), "_counts": counts}

    def _reject(self, origin: str, bad: BadItem) -> None:
        self._rejects[origin] = bad
