"""What stands beside the pictures of an export, written after them: class lists, annotations, cards."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from imagelake.datasets.export import CLASS_FOLDERS, Export
from imagelake.datasets.shards import whole_file
from imagelake.datasets.versions import Version
from imagelake.errors import UsageError
from imagelake.lake.results import write_result
from imagelake.lake.session import Session

_CSV = """
select
  e.image_id, e.image_id as sha256, e.uri, e.offset_bytes, e.length_bytes, e.origin, e.format, e.width_px, e.height_px,
  e.split, e.fold, e.group_id, {labels}
from export_rows as e
order by e.image_id
"""


def write_index(session: Session, export: Export, version: Version, written: list[pa.Table]) -> None:
    """Write what belongs to the format.

    Args:
        session: a session that has `export_rows`.
        export: the export.
        version: the data set.
        written: tables of WRITTEN, for the formats that need them.
    """
    classes = [
        {"class": name, "number": i, **({"folder": folder} if export.format in CLASS_FOLDERS else {})}
        for i, (name, folder) in enumerate(zip(export.classes, export.folders, strict=True))
    ]
    export.out.write("classes.json", json.dumps(classes, indent=1, ensure_ascii=False).encode())
    places = [row[0] for row in session.execute("select distinct place from export_rows order by all").fetchall()]
    if export.format == "csv":
        _write_csv(session, export)
    elif export.format == "huggingface":
        export.out.write("README.md", card(version, places).encode())
    elif export.format == "yolo":
        export.out.write("data.yaml", yolo_yaml(export, places).encode())
    elif written:
        rows = pa.concat_tables(written).sort_by("image_id")
        write = _write_coco if export.format == "coco" else _write_metadata
        for place in places:
            write(export, place, _indexed(session, rows, place))


def _indexed(session: Session, rows: pa.Table, place: str) -> Iterator[dict[str, Any]]:
    session.con.register("export_written", rows)
    sql = """
        select w.*, e.labels
        from export_written as w
        join export_rows as e on w.image_id = e.image_id
        where e.place = $place
        order by w.image_id
    """
    for batch in session.batches(sql, {"place": place}):
        yield from batch.to_pylist()


def _write_metadata(export: Export, place: str, rows: Iterator[dict[str, Any]]) -> None:
    """`<split>/metadata.csv` as the `datasets` library reads beside pictures: file_name, labels as a JSON list."""
    with whole_file(export.out, f"{place}/metadata.csv") as out:
        text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["file_name", "image_id", "labels"])
        for row in rows:
            name = row["file"].removeprefix(f"{place}/")
            lines.writerow([name, row["image_id"], json.dumps(row["labels"], ensure_ascii=False)])
        text.detach()


def _write_coco(export: Export, place: str, rows: Iterator[dict[str, Any]]) -> None:
    """`annotations/<split>.json`: each label is an annotation whose box is the whole image."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        width, height = row["width_px"], row["height_px"]
        name = row["file"].removeprefix(f"images/{place}/")
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for label in row["labels"]:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": export.number_of_class[label] + 1,
                    "bbox": [0, 0, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )
    categories = [{"id": i + 1, "name": name, "supercategory": ""} for i, name in enumerate(export.classes)]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    export.out.write(f"annotations/{place}.json", json.dumps(whole, ensure_ascii=False).encode())


def _write_csv(session: Session, export: Export) -> None:
    """`images.csv`: where the bytes of every picture are, and its labels; without pictures."""
    labels = "to_json(e.labels) as labels" if export.multi else "e.labels[1] as label, c.number as class_number"
    numbers = {"class": list(export.classes), "number": range(len(export.classes))}
    session.con.register("export_classes", pa.table({k: pa.array(v) for k, v in numbers.items()}))
    sql = _CSV.format(labels=labels)
    if not export.multi:
        sql = sql.replace("as e\n", 'as e\njoin export_classes as c on e.labels[1] = c."class"\n')
    with whole_file(export.out, "images.csv") as out:
        write_result(session.execute(sql).to_arrow_reader(), "csv", out)


def card(version: Version, places: list[str]) -> str:
    """README.md with the YAML by which `datasets.load_dataset` finds the files of each split.

    Raises:
        UsageError: two splits would have one name, for the library allows letters, digits and `_` only.
    """
    names = [re.sub(r"\W", "_", place) for place in places]
    if len(set(names)) < len(names):
        raise UsageError(
            f"splits {', '.join(places)}: the datasets library knows letters, digits and '_' in names only"
        )
    files = "".join(  # as JSON, which is YAML: a bare `no` would be false
        f"  - split: {json.dumps(n)}\n    path: data/{p}/*.parquet\n" for n, p in zip(names, places, strict=True)
    )
    row = version.row
    statement = "\n".join(f"    {line}" for line in row["statement"].splitlines())
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n# {row['dataset']}\n\n"
        f"Version {row['dataset_version']}, {row['images']:,} images, {len(row['classes'])} classes, made"
        f" {row['created_at']:%Y-%m-%d} with imagelake. Never separated: {', '.join(row['group_by']) or 'nothing'}."
        f" Seed {row['seed']}.\n\n{statement}\n"
    )


def yolo_yaml(export: Export, places: list[str]) -> str:
    """data.yaml: the folder of each split and the names of the classes' folders; strings as JSON, which is YAML."""
    lines = [f"{json.dumps(place)}: {json.dumps(place)}" for place in places]
    names = [f"  {i}: {json.dumps(folder, ensure_ascii=False)}" for i, folder in enumerate(export.folders)]
    return "\n".join(["path: .", *lines, "names:", *names, ""])


def absent_told(session: Session, export: Export) -> dict[str, str]:
    """A warning where a split lacks pictures of some classes: readers that number the folders would be wrong."""
    if export.format not in CLASS_FOLDERS or export.multi:
        return {}
    sql = """
        select place, count(distinct labels[1]) as classes
        from export_rows
        group by place
        having count(distinct labels[1]) < $classes
        order by place
    """
    lacking = session.execute(sql, {"classes": len(export.classes)}).fetchall()
    if not lacking:
        return {}
    texts = ", ".join(f"{place} has {n} of {len(export.classes)} classes" for place, n in lacking)
    return {
        "absent": f"{texts}: torchvision's ImageFolder numbers the folders it finds; the numbers are in classes.json"
    }
