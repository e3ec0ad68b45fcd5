"""An export: what is to be written where, in what order; how a half one and foreign folders are recognised."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from pyarrow import fs

from imagelake.datasets.names import safe_names
from imagelake.datasets.versions import Version
from imagelake.errors import UsageError
from imagelake.lake.session import Session
from imagelake.lake.storage import Storage, is_remote

FORMATS = ("imagefolder", "webdataset", "parquet", "huggingface", "coco", "yolo", "csv")
SHARDED = ("webdataset", "parquet", "huggingface")
CLASS_FOLDERS = ("imagefolder", "yolo")
# What torchvision, webdataset and most other readers do not open; parquet and csv leave bytes alone.
SELDOM_READ = ("AVIF", "GIF", "HEIF", "JPEG2000")
MARKER = "imagelake-export.json"


@dataclass(frozen=True)
class Export:
    """What the workers need to know.

    Attributes:
        lake: the lake's storage.
        out: where the export goes.
        run_id: the run.
        format: one of FORMATS.
        size_px: longest side of larger pictures after resizing; None leaves all sizes.
        keep_format: leave formats alone that few programs read.
        classes: the classes; positions are class numbers. In the order of their folders where readers number those.
        folders: their folder names.
        multi: whether images have several labels (or none), so that no folder can stand for the class.
        continues: whether an earlier run began the same.
    """

    lake: Storage
    out: Storage
    run_id: str
    format: str
    size_px: int | None
    keep_format: bool
    classes: tuple[str, ...]
    folders: tuple[str, ...]
    multi: bool
    continues: bool = False

    @cached_property
    def number_of_class(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def reencoded(self, item: dict[str, Any]) -> str | None:
        """`jpeg` or `png` where a picture does not stay as it is, else None."""
        if not self.is_bigger(item) and (self.keep_format or item["format"] not in SELDOM_READ):
            return None
        return "png" if item["format"] in ("BMP", "GIF", "PNG", "PPM", "TIFF") else "jpeg"

    def is_bigger(self, item: dict[str, Any]) -> bool:
        """Whether the picture is to be made smaller."""
        return self.size_px is not None and max(item["width_px"], item["height_px"]) > self.size_px


# grain: image_id. Shards hold whole images of one split in the order of image_id, which is that of a digest: shuffled.
_ROWS = """
create or replace temp table export_rows as
with places as (
  select image_id, min(origin) as origin
  from sightings
  where image_id in (select image_id from dataset_images where dataset = $name and dataset_version = $number)
  group by image_id
),
wanted as (
  select
    d.image_id, d.labels, d.split, d.fold, d.group_id, coalesce(d.split, 'fold' || d.fold) as place,
    i.uri, i.offset_bytes, i.length_bytes, i.format, i.width_px, i.height_px,
    coalesce(p.origin, i.uri, d.image_id) as origin
  from dataset_images as d
  left join images as i on d.image_id = i.image_id
  left join places as p on d.image_id = p.image_id
  where d.dataset = $name and d.dataset_version = $number
),
filled as (
  select
    * exclude (origin),
    -- a failure is known by its item: two images that were found at one place need two names
    if(count(*) over (partition by origin) > 1, origin || ' (' || image_id || ')', origin) as origin,
    (sum(coalesce(length_bytes, 0)) over (partition by place order by image_id) - coalesce(length_bytes, 0))
    // $shard_bytes as filling
  from wanted
  where len($places) = 0 or list_contains($places, place)
)
select * exclude (filling), dense_rank() over (partition by place order by filling) - 1 as shard
from filled
"""
_DIGEST = """
select
  count(*),
  bit_xor(md5_number(concat_ws(chr(31), image_id, array_to_string(labels, chr(30)), place, length_bytes)))::varchar
from export_rows
"""
# Of the whole data set, so that its splits have one layout, exported together or not.
_MULTI = """
select bool_or(len(labels) <> 1) from dataset_images where dataset = $name and dataset_version = $number
"""


def plan_rows(session: Session, version: Version, places: Sequence[str], shard_mb: int) -> int:
    """Make the table `export_rows`; returns the number of images.

    Raises:
        UsageError: a split that the data set does not have, or an image without any.
    """
    folds = version.row["folds"]
    known = [f"fold{i}" for i in range(folds)] if folds else list(version.row["splits"])
    if unknown := sorted(set(places) - set(known)):
        raise UsageError(f"--split {unknown[0]}: {version.label} has {', '.join(known)}")
    if shard_mb < 1:
        raise UsageError(f"--shard-mb {shard_mb}: give at least 1")
    session.execute(_ROWS, {**version.key, "places": list(places), "shard_bytes": shard_mb * 1_000_000})
    count = int(session.execute("select count(*) from export_rows").fetchall()[0][0])
    if not count:
        raise UsageError(f"{version.label} has no images in {', '.join(places) or 'it'}: nothing to export")
    return count


def prepared(
    session: Session, version: Version, config: Any, lake: Storage, run_id: str
) -> tuple[Export, dict[str, Any]]:
    """Check what is asked for and the place; returns what the workers need, and the marker.

    Raises:
        UsageError: the format cannot hold the labels, or the folder holds something else.
    """
    if not config.out or not config.format:
        raise UsageError("give --out and --format")
    if config.size is not None and config.size < 1:
        raise UsageError(f"--size {config.size}: give at least 1 pixel")
    multi = session.execute(_MULTI, version.key).fetchall()[0][0]
    if multi and config.format == "yolo":
        raise UsageError("yolo's layout has one class per picture: export coco, or a data set with one label per image")
    count, digest = session.execute(_DIGEST).fetchall()[0]
    marker = {
        "dataset": version.label,
        "format": config.format,
        "size_px": config.size,
        "keep_format": config.keep_format,
        "splits": sorted(config.split),
        "shard_mb": config.shard_mb,
        "images": count,
        "rows": digest,
    }
    out = Storage(config.out)
    folders = dict(zip(version.row["classes"], safe_names(version.row["classes"]), strict=True))
    classes = sorted(folders, key=lambda name: folders[name] if config.format in CLASS_FOLDERS else name)
    export = Export(
        lake=lake,
        out=out,
        run_id=run_id,
        format=config.format,
        size_px=config.size,
        keep_format=config.keep_format or config.format in ("parquet", "csv"),
        classes=tuple(classes),
        folders=tuple(folders[name] for name in classes),
        multi=multi,
        continues=_has_begun(out, config.out, marker, lake.root),
    )
    return export, marker


def _has_begun(out: Storage, name: str, marker: dict[str, Any], lake: str) -> bool:
    """Whether the folder holds this export, whole or half; False where it is new or empty."""
    if f"{out.uri('').rstrip('/')}/".startswith(f"{Storage(lake).uri('').rstrip('/')}/"):
        raise UsageError(f"--out {name} is inside of the lake: name a folder outside")
    if there := _marker_in(out):
        differing = {key for key in marker if there.get(key) != marker[key]}
        if not differing:
            return True
        what = (
            "another export" if differing - {"images", "rows"} else "this export, made before pictures were forgotten"
        )
        raise UsageError(
            f"--out {name} holds {what} ({there['dataset']} as {there['format']}): remove it, or name another folder"
        )
    base = out.path("").rstrip("/")
    found = out.filesystem.get_file_info(base)
    if not is_remote(name) and found.type == fs.FileType.File:
        raise UsageError(f"--out {name} is a file: name a folder")
    if out.filesystem.get_file_info(fs.FileSelector(base, allow_not_found=True)):
        raise UsageError(f"--out {name} is not empty and no export of imagelake: name a new or empty folder")
    return False


def _marker_in(out: Storage) -> dict[str, Any] | None:
    """What `imagelake-export.json` says; None where there is none, or one that is not ours."""
    if not out.exists(MARKER):
        return None
    try:
        there = json.loads(out.read(MARKER))
    except ValueError:
        return None
    return there if isinstance(there, dict) and {"dataset", "format"} <= there.keys() else None


def write_marker(out: Storage, marker: dict[str, Any], **more: object) -> None:
    """Write `imagelake-export.json`: `complete` is false at the start, and true when all else is there."""
    out.write(MARKER, json.dumps({**marker, **more}, indent=1, ensure_ascii=False).encode())


def work_of(session: Session, format: str, rows: int) -> Iterator[dict[str, pa.Table]]:  # noqa: A002
    """The batches of the workers: whole shards, or up to `rows` pictures in the order of their bytes."""
    if format not in SHARDED:
        for batch in session.batches("from export_rows order by uri, offset_bytes, image_id", rows=rows):
            for start in range(0, batch.num_rows, rows):
                yield {"work": pa.Table.from_batches([batch.slice(start, rows)])}
        return
    shards = session.execute("select distinct place, shard from export_rows order by all").fetchall()
    for place, shard in shards:
        one = "from export_rows where place = $place and shard = $shard order by image_id"
        yield {"work": session.arrow(one, {"place": place, "shard": shard})}


def rows_told(session: Session, export: Export) -> dict[str, str]:
    """What there is to say about formats: pictures that were converted, or that few programs read."""
    sql = """
        select format, count(*)
        from export_rows
        where list_contains($formats, format)
        group by format
        order by format
    """
    found = session.execute(sql, {"formats": list(SELDOM_READ)}).fetchall()
    if not found or export.format == "csv":
        return {}
    texts = ", ".join(f"{count:,} {name}" for name, count in found)
    return {"seldom read, kept" if export.keep_format else "converted, as few programs read them": texts}
