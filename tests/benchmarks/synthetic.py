"""Lakes of made-up metadata: rows as real runs write them, without pictures behind them."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from imagelake.extract import pictures
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.tables import table_def

RUN = "20260101T000000Z-bench0"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FORMATS = ("JPEG", "JPEG", "JPEG", "JPEG", "PNG", "WEBP", "HEIF")
IN_SHARD = 1000


def image_id(number: int) -> str:
    """The id of picture `number`."""
    return hashlib.sha256(number.to_bytes(8, "big")).hexdigest()


def make_lake(root: Path, count: int, *, per_fragment: int, described: bool) -> Lake:
    """A lake of `count` pictures, made once and kept.

    Args:
        root: its folder.
        count: pictures.
        per_fragment: rows per Parquet file.
        described: with rows of hashes, exif and thumbnails, so that nothing is pending.
    """
    if root.exists():
        return Lake(str(root))
    making = root.with_suffix(".making")
    lake = create_lake(str(making))
    names = ["images", "sightings", *(("hashes", "exif", "thumbnails") if described else ())]
    committer = Committer(lake, RUN, lake.ensure_tables(names))
    with duckdb.connect(config={"threads": "1"}) as con:
        for start in range(0, count, per_fragment):
            columns = _columns(range(start, min(count, start + per_fragment)))
            for name in names:
                rows = _table(name, columns)
                committer.add(write_fragment(lake.storage, table_def(name), rows, RUN, con))
    committer.flush()
    making.rename(root)
    return Lake(str(root))


def _columns(numbers: range) -> dict[str, dict[str, object]]:
    """Columns by table; a single value stands for a constant column."""
    ids = [image_id(n) for n in numbers]
    places = [f"blobs/{RUN}-{n // IN_SHARD:06d}.tar" for n in numbers]
    hashes = pa.array([int.from_bytes(bytes.fromhex(i[:16]), "big", signed=True) for i in ids])
    common = {"image_id": ids, "run_id": RUN}
    return {
        "images": {
            **common,
            "uri": places,
            "offset_bytes": [n % IN_SHARD * 1_000_000 for n in numbers],
            "length_bytes": 1_000_000,
            "format": [FORMATS[n % len(FORMATS)] for n in numbers],
            "width_px": 4000,
            "height_px": [2000 + n % 1000 for n in numbers],
            "mode": "RGB",
            "frames": 1,
            "has_alpha": False,
            "ingested_at": NOW,
        },
        "sightings": {
            **common,
            "origin": [f"photos/{n // 1000:04d}/IMG_{n:08d}.jpg" for n in numbers],
            "uri": [f"/data/photos/{n // 1000:04d}/IMG_{n:08d}.jpg" for n in numbers],
            "size_bytes": 1_000_000,
            "modified_at": NOW,
            "seen_at": NOW,
        },
        "hashes": {
            **common,
            "phash": hashes,
            "dhash": hashes,
            "dhash_vertical": hashes,
            "version": pictures.HASHES_WITHOUT_PIXEL_HASH,
            "computed_at": NOW,
        },
        "exif": {
            **common,
            "make": [("Canon", "NIKON CORPORATION", "FUJIFILM")[n % 3] for n in numbers],
            "f_number": [1.4 + n % 10 for n in numbers],
            "tags": [[("Image Make", "x")]] * len(numbers),
            "version": pictures.EXIF_VERSION,
            "source": "file",
            "computed_at": NOW,
        },
        "thumbnails": {
            **common,
            "jpeg": b"no picture",
            "width_px": 256,
            "height_px": 192,
            "version": pictures.THUMBNAILS_VERSION,
            "computed_at": NOW,
        },
    }


def _table(name: str, columns: dict[str, dict[str, object]]) -> pa.Table:
    given = columns[name]
    rows = len(given["image_id"])  # type: ignore[arg-type]
    arrays = [_array(field, given.get(field.name), rows) for field in table_def(name).schema]
    return pa.Table.from_arrays(arrays, schema=table_def(name).schema)


def _array(field: pa.Field, value: object, rows: int) -> pa.Array:
    if isinstance(value, list | pa.Array):
        return pa.array(value, field.type)
    return pa.repeat(pa.scalar(value, field.type), rows)
