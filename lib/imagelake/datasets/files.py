"""The stage that writes one file per picture: imagefolder, yolo, coco.

In: a table `work` with rows of `export_rows`. Out: `failures`, `_counts`, and `_written` (image_id, file, width_px,
height_px) for the formats whose index is made of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from imagelake.datasets.export import CLASS_FOLDERS, Export
from imagelake.datasets.names import EXTENSIONS
from imagelake.datasets.reading import Reader
from imagelake.lake.runs import counts_table

WRITTEN = pa.schema(
    [("image_id", pa.string()), ("file", pa.string()), ("width_px", pa.int32()), ("height_px", pa.int32())]
)
Batch = dict[str, pa.Table]


@dataclass(frozen=True)
class WriteFiles:
    """Writes the pictures of a batch as files; those that an earlier run has written whole are left."""

    export: Export
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """The step."""
        return lambda batch: iter([self._write(batch["work"].to_pylist())])

    def _write(self, items: list[dict[str, Any]]) -> Batch:
        reader, export = Reader(self.export), self.export
        there = [item for item in items if export.continues and self._is_there(item)]
        known = {item["image_id"] for item in there}
        rows = [_row(item, file_of(export, item, EXTENSIONS[item["format"]])) for item in there]
        for taken in reader.pictures([item for item in items if item["image_id"] not in known]):
            file = file_of(export, taken.item, taken.extension)
            export.out.write(file, taken.data)
            rows.append({**_row(taken.item, file), "width_px": taken.width_px, "height_px": taken.height_px})
        rejected = len(reader.failures)
        counts = counts_table(len(items), len(items) - len(there) - rejected, len(there), rejected)
        written = {"_written": pa.Table.from_pylist(rows, WRITTEN)} if needs_index(export) else {}
        return {**reader.failures_table(), "_counts": counts, **written}

    def _is_there(self, item: dict[str, Any]) -> bool:
        """Whether the file is there with all its bytes; what is re-encoded is made again, for its size is not known."""
        if item["uri"] is None or self.export.reencoded(item) is not None:
            return False
        size = self.export.out.size(file_of(self.export, item, EXTENSIONS[item["format"]]))
        return bool(size == item["length_bytes"])


def needs_index(export: Export) -> bool:
    """Whether labels stand in a file of their own."""
    return export.format == "coco" or export.multi


def file_of(export: Export, item: dict[str, Any], extension: str) -> str:
    """Where a picture goes: `train/cat/<image_id>.jpg`, without the class where there is not exactly one."""
    name = f"{item['image_id']}.{extension}"
    if export.format in CLASS_FOLDERS and not export.multi:
        return f"{item['place']}/{export.folders[export.number_of_class[item['labels'][0]]]}/{name}"
    return f"images/{item['place']}/{name}" if export.format == "coco" else f"{item['place']}/{name}"


def _row(item: dict[str, Any], file: str) -> dict[str, Any]:
    return {"image_id": item["image_id"], "file": file, "width_px": item["width_px"], "height_px": item["height_px"]}
