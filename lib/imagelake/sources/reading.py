"""The stage that reads files: files in, rows of `images`, `sightings`, `failures` and `archives` out.

Each file is read once; archives are expanded as a stream. Bytes that the lake does not have go into a tar shard,
or stay where they are with `in_place`.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Literal

import pyarrow as pa

from imagelake.errors import BadItem
from imagelake.image.header import Header, read_header
from imagelake.image.sniff import HEAD_BYTES, PICTURE_FORMATS, sniff
from imagelake.lake.blobs import ShardWriter
from imagelake.lake.digests import Digests
from imagelake.lake.runs import counts_table
from imagelake.lake.storage import Storage
from imagelake.lake.tables import table_def, to_table
from imagelake.sources.archives import TAIL_BYTES, ArchiveLimits, archive_kind, expand
from imagelake.sources.rejects import refuse_forgotten

Batch = dict[str, pa.Table]
ROWS = 2000
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "TIFF": "tif", "HEIF": "heic", "JPEG2000": "jp2"}
FILES = pa.schema(
    [
        ("origin", pa.string()),
        ("uri", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_at", pa.timestamp("us", "UTC")),
        ("known_members", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class ReadFiles:
    """Reads the files of a batch's table `files` (schema `FILES`); a batch without it passes.

    Args:
        storage: the lake's storage.
        run_id: the run.
        known: images that the lake has.
        in_place: reference files where they are instead of copying them; members of archives are copied.
        max_file_bytes: larger pictures are rejected.
        max_pixels: pictures of more pixels are rejected.
        forgotten: images that were taken out for good; they are rejected.
    """

    storage: Storage
    run_id: str
    known: Digests
    in_place: bool
    max_file_bytes: int
    max_pixels: int
    forgotten: Digests = field(default_factory=Digests)
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """The step."""
        return lambda batch: _Reading(self).read(batch["files"]) if "files" in batch else iter([batch])


@dataclass
class _Found:
    """A picture's or member's place and state."""

    origin: str
    uri: str
    size_bytes: int
    modified_at: datetime


@dataclass
class _Reading:
    """Rows collected for the next output batch."""

    stage: ReadFiles
    images: dict[str, dict[str, object]] = field(default_factory=dict)
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shard = ShardWriter(self.stage.storage, self.stage.run_id)
        self._reset()

    def _reset(self) -> None:
        self.images = {}
        self.rows = {"sightings": [], "failures": [], "archives": []}
        self.counts = dict.fromkeys(("read", "written", "already_present", "rejected"), 0)

    def read(self, files: pa.Table) -> Iterator[Batch]:
        for row in files.to_pylist():
            known_members = set(row.pop("known_members") or ())
            for _ in self._read_file(_Found(**row), known_members):
                if self.shard.is_full or len(self.rows["sightings"]) + len(self.rows["failures"]) >= ROWS:
                    yield self._flush()
        yield self._flush()

    def _read_file(self, found: _Found, known_members: set[str]) -> Iterator[None]:
        """Read one file; yields after every item, so that an archive of millions is written as it is read."""
        try:
            with self.stage.storage.open(found.uri) as file:
                head = file.read(HEAD_BYTES)
                kind = _kind(file, head)
                if kind is None:
                    self._picture_file(found, head, file.read)
                    yield
                    return
                file.seek(0)
                yield from self._archive(found, kind, lambda: self.stage.storage.open(found.uri), known_members)
        except OSError as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
            self._reject(found, "read", BadItem(reason, f"{type(error).__name__}: {error.strerror or error}"))
            yield

    def _picture_file(self, found: _Found, head: bytes, rest: Callable[[], bytes]) -> None:
        if found.size_bytes > self.stage.max_file_bytes:
            limit = f"{found.size_bytes:,} bytes; the limit is {self.stage.max_file_bytes:,} (--max-file-bytes)"
            self._reject(found, "read", BadItem("file_too_large", limit))
        else:
            self._picture(found, head + rest(), in_place=self.stage.in_place)

    def _archive(
        self, found: _Found, kind: str, opener: Callable[[], AbstractContextManager[BinaryIO]], known: set[str]
    ) -> Iterator[None]:
        limits = ArchiveLimits(picture_bytes=self.stage.max_file_bytes)
        members, whole = 0, True
        for member in expand(opener, found.origin, kind, limits, skip=lambda origin, _size: origin in known):
            members += 1
            place = _Found(member.origin, found.uri, member.size_bytes, found.modified_at)
            if member.error is not None:
                whole = whole and member.origin != found.origin
                self._reject(place, "expand", member.error)
            elif member.data is None:
                self._count("already_present")
            else:
                self._picture(place, member.data, in_place=False)
            yield
        if whole:  # otherwise its own row in failures says why not
            row = {**vars(found), "members": members, "expanded_at": datetime.now(UTC), "run_id": self.stage.run_id}
            self.rows["archives"].append(row)

    def _picture(self, found: _Found, data: bytes, *, in_place: bool) -> None:
        image_id = hashlib.sha256(data).hexdigest()
        if image_id not in self.stage.known and image_id not in self.placed:
            try:
                refuse_forgotten(image_id, self.stage.forgotten)
                header = read_header(data, self.stage.max_pixels)
            except BadItem as bad:
                self._reject(found, "header", bad)
                return
            self._place(image_id, header, found, data if not in_place else None, len(data))
        row = {**vars(found), "image_id": image_id, "seen_at": datetime.now(UTC), "run_id": self.stage.run_id}
        self.rows["sightings"].append(row)
        self._count("written")

    def _place(self, image_id: str, header: Header, found: _Found, data: bytes | None, length: int) -> None:
        self.placed.add(image_id)
        row = image_row(image_id, header, self.stage.run_id)
        if data is None:
            row |= {"uri": found.uri, "offset_bytes": 0, "length_bytes": length}
        else:
            self.shard.add(image_id, EXTENSIONS.get(header.format, header.format.lower()), data)
        self.images[image_id] = row

    def _reject(self, found: _Found, step: str, bad: BadItem) -> None:
        self.rows["failures"].append(
            {
                "run_id": self.stage.run_id,
                "job": "ingest",
                "item": found.origin,
                "stage": step,
                "reason": bad.reason,
                "message": bad.message,
                "version": 0,
                "size_bytes": found.size_bytes,
                "modified_at": found.modified_at,
                "failed_at": datetime.now(UTC),
            }
        )
        self._count("rejected")

    def _count(self, what: str) -> None:
        self.counts["read"] += 1
        self.counts[what] += 1

    def _flush(self) -> Batch:
        for image_id, (uri, offset, length) in self.shard.flush().items():
            self.images[image_id] |= {"uri": uri, "offset_bytes": offset, "length_bytes": length}
        batch = {name: to_table(table_def(name), rows) for name, rows in self.rows.items()}
        batch["images"] = to_table(table_def("images"), self.images.values())
        batch["_counts"] = counts_table(**self.counts)
        self._reset()
        return batch


def image_row(image_id: str, header: Header, run_id: str) -> dict[str, object]:
    """A row of `images` without the place of its bytes."""
    return {
        "image_id": image_id,
        "format": header.format,
        "width_px": header.width,
        "height_px": header.height,
        "mode": header.mode,
        "frames": header.frames,
        "has_alpha": header.has_alpha,
        "ingested_at": datetime.now(UTC),
        "run_id": run_id,
    }


def _kind(file: BinaryIO, head: bytes) -> str | None:
    """The kind of an archive, also of a zip behind a program; None for anything else. Leaves the file behind `head`."""
    kind = archive_kind(head)
    if kind is None and sniff(head) not in PICTURE_FORMATS:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        kind = archive_kind(head, file.read(TAIL_BYTES))
        file.seek(len(head))
    return kind
