"""Pictures of a data set: rows with places in, bytes as they are to be exported out; the unreadable set aside."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from imagelake.datasets.export import Export
from imagelake.datasets.names import EXTENSIONS
from imagelake.errors import BadItem
from imagelake.image.codecs import open_image
from imagelake.image.resize import Mode, Resize, reencode
from imagelake.lake.blobs import read_blobs
from imagelake.lake.tables import table_def, to_table

QUALITY = 95


class Taken(NamedTuple):
    """A picture to be written."""

    item: dict[str, Any]
    data: bytes
    extension: str
    width_px: int
    height_px: int


@dataclass
class Reader:
    """Reads the pictures of one batch; `failures` fills up meanwhile."""

    export: Export
    failures: list[dict[str, object]] = field(default_factory=list)

    def pictures(self, items: Sequence[dict[str, Any]]) -> Iterator[Taken]:
        """The pictures that can be read, in order, one at a time."""
        for item in items:
            if item["uri"] is None:
                self._reject(item, "read", BadItem("missing", "the image is not in the lake any more"))
        there = [item for item in items if item["uri"] is not None]
        places = ((item["uri"], item["offset_bytes"], item["length_bytes"]) for item in there)
        for item, data in zip(there, read_blobs(self.export.lake, places), strict=True):
            step = "read"
            try:
                checked = _checked(item["image_id"], data)
                step = "decode"
                yield self._encoded(item, checked)
            except BadItem as bad:
                self._reject(item, step, bad)

    def _encoded(self, item: dict[str, Any], data: bytes) -> Taken:
        kind = self.export.reencoded(item)
        if kind is None:
            return Taken(item, data, EXTENSIONS[item["format"]], item["width_px"], item["height_px"])
        size = self.export.size_px
        mode: Mode = "keep_ratio_largest" if size is not None and self.export.is_bigger(item) else "none"
        how = Resize(mode, size or 1, only_if_bigger=False, format="png" if kind == "png" else "jpeg", quality=QUALITY)
        made = reencode(data, how)
        width, height = open_image(made)[1].size
        return Taken(item, made, "png" if kind == "png" else "jpg", width, height)

    def _reject(self, item: dict[str, Any], stage: str, bad: BadItem) -> None:
        self.failures.append(
            {
                "run_id": self.export.run_id,
                "job": "dataset export",
                "item": item["origin"],
                "stage": stage,
                "reason": bad.reason,
                "message": bad.message,
                "image_id": item["image_id"],
                "version": 0,
                "failed_at": datetime.now(UTC),
            }
        )

    def failures_table(self) -> dict[str, pa.Table]:
        """The rows of `failures`, where there are any."""
        return {"failures": to_table(table_def("failures"), self.failures)} if self.failures else {}


def _checked(image_id: str, data: bytes | OSError) -> bytes:
    if isinstance(data, OSError):
        reason = "missing" if isinstance(data, FileNotFoundError) else "unreadable"
        raise BadItem(reason, f"{type(data).__name__}: {data.strerror or data}")
    if hashlib.sha256(data).hexdigest() != image_id:
        raise BadItem("changed", "the bytes are no longer those that were ingested: ingest the file again")
    return data
