"""The stage that writes shards: webdataset, parquet, huggingface.

In: a table `work` with the rows of one shard. Out: `failures`, `_counts`. The name of a shard follows from its
split and number, so a retried task overwrites its own; a shard that an earlier run has written whole is left.
"""

import json
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from imagelake.datasets.export import Export
from imagelake.datasets.reading import Reader, Taken
from imagelake.lake.runs import counts_table
from imagelake.lake.storage import Storage, is_remote, storage_errors

ROW_GROUP_BYTES = 16 << 20
Batch = dict[str, pa.Table]


@dataclass(frozen=True)
class WriteShards:
    """Writes the pictures of a batch as one shard; memory holds one picture, or one row group."""

    export: Export
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """The step."""
        return lambda batch: iter([self._write(batch["work"].to_pylist())])

    def _write(self, items: list[dict[str, Any]]) -> Batch:
        name = shard_name(self.export, items[0]["place"], items[0]["shard"])
        if self.export.continues and ids_in(self.export.out, name) == {item["image_id"] for item in items}:
            return {"_counts": counts_table(read=len(items), already_present=len(items))}
        reader = Reader(self.export)
        pictures = reader.pictures(items)
        first = next(pictures, None)
        if first is not None:
            write = _write_tar if self.export.format == "webdataset" else _write_parquet
            with whole_file(self.export.out, name) as file:
                write(self.export, file, first, pictures)
        rejected = len(reader.failures)
        return {**reader.failures_table(), "_counts": counts_table(len(items), len(items) - rejected, 0, rejected)}


def shard_name(export: Export, place: str, number: int) -> str:
    """Where a shard goes."""
    if export.format == "webdataset":
        return f"{place}-{number:06d}.tar"
    return f"data/{place}/{number:05d}.parquet" if export.format == "huggingface" else f"{place}-{number:05d}.parquet"


@contextmanager
def whole_file(storage: Storage, relative: str) -> Iterator[BinaryIO]:
    """A file to write to that is there when it is complete: renamed on a disk, and a multipart upload in a bucket."""
    path = storage.path(relative)
    with storage_errors(storage.uri(relative), writing=True):
        if is_remote(storage.root):
            try:
                with storage.filesystem.open_output_stream(path) as out:
                    yield out
            except BaseException:  # closing has completed the upload of a part
                storage.filesystem.delete_file(path)
                raise
            return
        temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as out:
                yield out
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def ids_in(storage: Storage, name: str) -> set[str]:
    """The image_ids in a shard; none where it is not there or is damaged."""
    if not storage.exists(name):
        return set()
    with storage.open(name) as file:
        try:
            if name.endswith(".tar"):
                with tarfile.open(fileobj=file) as tar:
                    return {member.name.partition(".")[0] for member in tar}
            return set(pq.read_table(file, columns=["image_id"])["image_id"].to_pylist())
        except (tarfile.TarError, pa.ArrowInvalid):
            return set()


def _write_tar(export: Export, file: BinaryIO, first: Taken, rest: Iterator[Taken]) -> None:
    """WebDataset: members of one key side by side: `<id>.jpg`, `<id>.cls` (one label only), `<id>.json`."""
    for taken in chain([first], rest):
        _add_sample(export, file, taken)
    file.write(bytes(2 * tarfile.BLOCKSIZE))  # end of archive


def _add_sample(export: Export, file: BinaryIO, taken: Taken) -> None:
    key, facts = taken.item["image_id"], _facts(export, taken)
    _add_member(file, f"{key}.{taken.extension}", taken.data)
    if not export.multi:
        _add_member(file, f"{key}.cls", str(facts["class_numbers"][0]).encode())
    _add_member(file, f"{key}.json", json.dumps(facts, ensure_ascii=False).encode())


def _add_member(file: BinaryIO, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    file.write(info.tobuf(tarfile.GNU_FORMAT))
    file.write(data)
    file.write(bytes(-len(data) % tarfile.BLOCKSIZE))


def _facts(export: Export, taken: Taken) -> dict[str, Any]:
    item = taken.item
    return {
        "image_id": item["image_id"],
        "labels": item["labels"],
        "class_numbers": [export.number_of_class[label] for label in item["labels"]],
        "split": item["split"],
        "fold": item["fold"],
        "group_id": item["group_id"],
        "width_px": taken.width_px,
        "height_px": taken.height_px,
        "origin": item["origin"],
    }


def schema_of(export: Export) -> pa.Schema:
    """The columns of the Parquet files.

    Those of `huggingface` carry the features of the `datasets` library in the metadata of the schema, as its own
    `Features.arrow_schema` writes them (datasets 2.x and newer, features/features.py).
    """
    if export.format == "parquet":
        texts, numbers = pa.list_(pa.string()), pa.list_(pa.int32())
        kinds = {"image_id": pa.string(), "image": pa.binary(), "file_name": pa.string(), "labels": texts}
        kinds |= {"class_numbers": numbers, "split": pa.string(), "fold": pa.int32(), "group_id": pa.string()}
        return pa.schema({**kinds, "width_px": pa.int32(), "height_px": pa.int32(), "origin": pa.string()})
    fields = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "image_id": pa.string()}
    features: dict[str, Any] = {"image": {"_type": "Image"}, "image_id": {"dtype": "string", "_type": "Value"}}
    classes = {"names": list(export.classes), "_type": "ClassLabel"}
    if export.multi and export.classes:
        fields["labels"], features["labels"] = pa.list_(pa.int64()), {"feature": classes, "_type": "Sequence"}
    elif export.classes:
        fields["label"], features["label"] = pa.int64(), classes
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _write_parquet(export: Export, file: BinaryIO, first: Taken, rest: Iterator[Taken]) -> None:
    schema = schema_of(export)
    make = _parquet_row if export.format == "parquet" else _features_row
    rows, size = [make(export, first)], len(first.data)
    # pictures are compressed already
    with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
        for taken in rest:
            if size > ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows, size = [], 0
            rows.append(make(export, taken))
            size += len(taken.data)
        writer.write_table(pa.Table.from_pylist(rows, schema))


def _parquet_row(export: Export, taken: Taken) -> dict[str, Any]:
    return {**_facts(export, taken), "image": taken.data, "file_name": f"{taken.item['image_id']}.{taken.extension}"}


def _features_row(export: Export, taken: Taken) -> dict[str, Any]:
    numbers = _facts(export, taken)["class_numbers"]
    image_id = taken.item["image_id"]
    row = {"image": {"bytes": taken.data, "path": f"{image_id}.{taken.extension}"}, "image_id": image_id}
    return {**row, "labels": numbers} if export.multi else {**row, "label": numbers[0]}
