"""The stage that looks at pictures: one read and one decode each, rows of many tables out.

In: a table `work` (image_id, uri, offset_bytes, length_bytes, need, origin), where bit i of `need` asks for
`outputs[i]`. Out: rows of `hashes`, `exif`, `thumbnails`, `quality`, `failures`, and `_pixels/<i>` for the model of
`outputs[i]`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa

from imagelake.errors import BadItem
from imagelake.extract.embedding import ModelCard
from imagelake.extract.exif import exif_row
from imagelake.extract.hashes import perceptual_hashes, pixel_hash
from imagelake.extract.memory import keep_freed_memory
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import SMALL_PX, Picture, open_picture
from imagelake.lake.blobs import read_blobs
from imagelake.lake.pending import Output
from imagelake.lake.runs import counts_table
from imagelake.lake.storage import Storage
from imagelake.lake.tables import table_def, to_table

Batch = dict[str, pa.Table]
# Failures of this version or newer are not tried again. Raise it when decoding learns to read more.
VERSION = 1
EXIF_VERSION = 1
THUMBNAILS_VERSION = 1
QUALITY_PX = 1024  # of the longest side: what the detectors' constants are made for
QUALITY = Output("quality", 1, ("method", "imagelake"))
COMPATIBLE_QUALITY = Output("quality", 1, ("method", "digikam"))
# The full hashes supersede the ones without pixel_hash; what differs in the last digit only has the same perceptual
# hashes, which `dedupe` compares: raise the digits before it when the definition changes.
HASHES_WITHOUT_PIXEL_HASH = 10
HASHES_VERSION = 11


@dataclass(frozen=True)
class LookAtPictures:
    """Computes the outputs asked for.

    Args:
        storage: the lake's storage.
        run_id: the run.
        outputs: what the bits of `need` stand for.
        cards: the models, by number of their output.
        maker_notes: read the makers' own tags too.
        max_pixels: pictures of more pixels are rejected.
    """

    storage: Storage
    run_id: str
    outputs: tuple[Output, ...]
    cards: Mapping[int, ModelCard]
    maker_notes: bool
    max_pixels: int
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """The step. For `quality`, OpenCV gives up threads of its own in this process: the engine's workers are."""
        keep_freed_memory()
        if any(output.table == "quality" for output in self.outputs):
            import cv2  # noqa: PLC0415 (a tenth of a second, for this output only)

            cv2.setNumThreads(1)
        return lambda batch: iter([_Looking(self).look(batch["work"])])


@dataclass
class _Looking:
    """One batch at work."""

    stage: LookAtPictures
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    pixels: dict[int, list[tuple[str, np.ndarray]]] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)

    def look(self, work: pa.Table) -> Batch:
        items = work.to_pylist()
        places = ((item["uri"], item["offset_bytes"], item["length_bytes"]) for item in items)
        for item, data in zip(items, read_blobs(self.stage.storage, places), strict=True):
            step = "read"
            try:
                checked = _checked(item["image_id"], data)
                wanted = [i for i in range(len(self.stage.outputs)) if item["need"] >> i & 1]
                self._without_pixels(item["image_id"], checked, wanted)
                step = "decode"
                self._with_pixels(item["image_id"], checked, wanted)
            except BadItem as bad:
                self._reject(item, step, bad)
        return self._batch(len(items))

    def _without_pixels(self, image_id: str, data: bytes, wanted: list[int]) -> None:
        if any(self.stage.outputs[i].table == "exif" for i in wanted):
            row = exif_row(data, maker_notes=self.stage.maker_notes)
            self._add("exif", image_id, EXIF_VERSION, {**row, "source": "file"})

    def _with_pixels(self, image_id: str, data: bytes, wanted: list[int]) -> None:
        """Decode once at the scale that is enough for all; rows are added only when all of them could be made."""
        wanted = [i for i in wanted if self.stage.outputs[i].needs_pixels]
        if not wanted:
            return
        cards = {i: self.stage.cards[i] for i in wanted if i in self.stage.cards}
        full = any(self._is_full(i) for i in wanted)
        side = max((card.min_side_px for card in cards.values()), default=0)
        longest = QUALITY_PX if any(self.stage.outputs[i].table == "quality" for i in wanted) else SMALL_PX
        picture = open_picture(data, full=full, min_side_px=side, longest_px=longest, max_pixels=self.stage.max_pixels)
        rows = [(i, self._row(self.stage.outputs[i], picture)) for i in wanted if i not in cards]
        arrays = [(i, card.preprocess(picture.rgb)) for i, card in cards.items()]
        for i, row in rows:
            self._add(self.stage.outputs[i].table, image_id, self.stage.outputs[i].version, row)
        for i, array in arrays:
            self.pixels.setdefault(i, []).append((image_id, array))

    def _is_full(self, i: int) -> bool:
        card, output = self.stage.cards.get(i), self.stage.outputs[i]
        if card:
            return card.needs_full_decode
        return output in (Output("hashes", HASHES_VERSION), COMPATIBLE_QUALITY)

    def _row(self, output: Output, picture: Picture) -> dict[str, object]:
        if output.table == "thumbnails":
            return thumbnail(picture)._asdict()
        if output.table == "quality":
            from imagelake.extract.quality.assess import quality  # noqa: PLC0415 (it loads OpenCV)

            return quality(picture, "digikam" if output == COMPATIBLE_QUALITY else "imagelake")
        row: dict[str, object] = {**perceptual_hashes(picture.small)._asdict()}
        if output.version == HASHES_VERSION:
            row["pixel_hash"] = pixel_hash(picture.native)
        return row

    def _add(self, table: str, image_id: str, version: int, row: dict[str, object]) -> None:
        facts = {"image_id": image_id, "version": version, "run_id": self.stage.run_id, "computed_at": self._now}
        self.rows.setdefault(table, []).append({**row, **facts})

    @cached_property
    def _now(self) -> datetime:
        return datetime.now(UTC)

    def _reject(self, item: Mapping[str, object], step: str, bad: BadItem) -> None:
        self.rejected.add(str(item["image_id"]))
        self.rows.setdefault("failures", []).append(
            {
                "run_id": self.stage.run_id,
                "job": "extract",
                "item": item["origin"],
                "stage": step,
                "reason": bad.reason,
                "message": bad.message,
                "image_id": item["image_id"],
                "version": VERSION,
                "failed_at": self._now,
            }
        )

    def _batch(self, items: int) -> Batch:
        batch = {name: to_table(table_def(name), rows) for name, rows in self.rows.items()}
        for i, arrays in self.pixels.items():
            batch[f"_pixels/{i}"] = _pixel_table(arrays)
        rejected = len(self.rejected)
        batch["_counts"] = counts_table(read=items, written=items - rejected, rejected=rejected)
        return batch


def _checked(image_id: str, data: bytes | OSError) -> bytes:
    if isinstance(data, OSError):
        reason = "missing" if isinstance(data, FileNotFoundError) else "unreadable"
        raise BadItem(reason, f"{type(data).__name__}: {data.strerror or data}")
    if hashlib.sha256(data).hexdigest() != image_id:
        raise BadItem("changed", "the bytes are no longer those that were ingested: ingest the file again")
    return data


def _pixel_table(arrays: list[tuple[str, np.ndarray]]) -> pa.Table:
    """Pictures of one size as fixed-size binary: image_id, pixels."""
    stacked = np.stack([array for _, array in arrays])
    kind = pa.binary(stacked[0].nbytes)
    pixels = pa.FixedSizeBinaryArray.from_buffers(kind, len(stacked), [None, pa.py_buffer(stacked)])
    return pa.table({"image_id": [image_id for image_id, _ in arrays], "pixels": pixels})
