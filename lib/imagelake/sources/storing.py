"""The stage that stores what was fetched: bodies in, rows of `images`, `sightings`, `fetches` and `failures` out."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import pyarrow as pa

from imagelake.errors import BadItem
from imagelake.image.header import read_header
from imagelake.image.resize import Resize, reencode
from imagelake.lake.blobs import ShardWriter
from imagelake.lake.digests import Digests
from imagelake.lake.runs import counts_table
from imagelake.lake.storage import Storage
from imagelake.lake.tables import table_def, to_table
from imagelake.sources.reading import EXTENSIONS, image_row
from imagelake.sources.rejects import refuse_forgotten

Batch = dict[str, pa.Table]
Row = dict[str, object]


@dataclass(frozen=True)
class StoreFetched:
    """Stores the bodies of a batch's table `fetched` (`fetch.stream.FETCHED`).

    Args:
        storage: the lake's storage.
        run_id: the run.
        known: images that the lake has; their bytes are not stored again.
        resize: how pictures are made smaller; None keeps the bytes as they came.
        max_pixels: pictures of more pixels are rejected.
        forgotten: images that were taken out for good; they are rejected.
    """

    storage: Storage
    run_id: str
    known: Digests
    resize: Resize | None
    max_pixels: int
    forgotten: Digests = field(default_factory=Digests)
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """The step."""
        return lambda batch: iter([_Storing(self).store(batch)])


@dataclass
class _Storing:
    """The rows of one batch."""

    stage: StoreFetched
    images: dict[str, Row] = field(default_factory=dict)
    sightings: dict[tuple[str, str], Row] = field(default_factory=dict)
    fetches: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)

    def store(self, batch: Batch) -> Batch:
        shard = ShardWriter(self.stage.storage, self.stage.run_id)
        present = 0
        for row in batch["fetched"].to_pylist():
            body = row.pop("body")
            if row["outcome"] == "stored":
                self._picture(row, body, shard)
            if row["outcome"] == "failed":
                self._failure(row)
            present += row["outcome"] == "not_modified"
            self.fetches.append({**row, "run_id": self.stage.run_id})
        for image_id, (uri, offset, length) in shard.flush().items():
            self.images[image_id] |= {"uri": uri, "offset_bytes": offset, "length_bytes": length}
        written = sum(row["outcome"] == "stored" for row in self.fetches)
        rejected = len(self.failures)
        rows = {"images": [*self.images.values()], "sightings": [*self.sightings.values()]}
        rows |= {"fetches": self.fetches, "failures": self.failures}
        done = {name: to_table(table_def(name), found) for name, found in rows.items()}
        done["_counts"] = counts_table(written + rejected + present, written, present, rejected)
        return done | {name: table for name, table in batch.items() if name.startswith("_")}

    def _picture(self, row: Row, body: bytes, shard: ShardWriter) -> None:
        """Store a body; one that is no picture makes the row a failure."""
        try:
            if self.stage.resize is not None:
                body = reencode(body, self.stage.resize, self.stage.max_pixels)
            image_id = hashlib.sha256(body).hexdigest()
            if image_id not in self.stage.known and image_id not in self.images:
                refuse_forgotten(image_id, self.stage.forgotten)
                header = read_header(body, self.stage.max_pixels)
                self.images[image_id] = image_row(image_id, header, self.stage.run_id)
                shard.add(image_id, EXTENSIONS.get(header.format, header.format.lower()), body)
        except BadItem as bad:
            row |= {"outcome": "failed", "reason": bad.reason, "message": bad.message}
            return
        row["image_id"] = image_id
        self.sightings[image_id, str(row["url"])] = {
            "image_id": image_id,
            "origin": row["url"],
            "uri": row["final_url"],
            "size_bytes": len(body),
            "modified_at": _moment(row["last_modified"]) or row["fetched_at"],
            "seen_at": row["fetched_at"],
            "run_id": self.stage.run_id,
        }

    def _failure(self, row: Row) -> None:
        about = {"run_id": self.stage.run_id, "job": "download", "item": row["url"], "stage": "fetch", "version": 0}
        why = {name: row[name] for name in ("reason", "message")}
        self.failures.append({**about, **why, "size_bytes": row["bytes"], "failed_at": datetime.now(UTC)})


def _moment(last_modified: object) -> datetime | None:
    """A time as HTTP writes it; None for what servers write instead."""
    try:
        moment = parsedate_to_datetime(str(last_modified))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
