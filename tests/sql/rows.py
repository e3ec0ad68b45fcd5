"""Rows written straight into tables, for SQL over what other jobs find."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from imagelake.lake.lake import Lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.script import read_statement, run_query
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULTS = {
    "run_id": "20260101T000000Z-000000",
    "version": 1,
    "computed_at": NOW,
    "found_at": NOW,
    "labelled_at": NOW,
    "created_at": NOW,
    "ingested_at": NOW,
    "seen_at": NOW,
    "modified_at": NOW,
    "harvested_at": NOW,
}
IMAGE = {
    "uri": "a.tar",
    "offset_bytes": 0,
    "length_bytes": 100_000,
    "format": "JPEG",
    "width_px": 800,
    "height_px": 600,
    "mode": "RGB",
    "frames": 1,
    "has_alpha": False,
}


def image_id(name: object) -> str:
    """An id for a name."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def put(lake: Lake, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make these the rows of a table; what a row does not say has a default or is null."""
    schema = table_def(table).schema
    base = {**DEFAULTS, **(IMAGE if table == "images" else {})}
    whole = [{name: row.get(name, base.get(name)) for name in schema.names} for row in rows]
    for row in whole:
        for field in schema:
            if pa.types.is_map(field.type):
                row[field.name] = list((row[field.name] or {}).items())
    replace_rows(lake, DEFAULTS["run_id"], table, {}, [pa.Table.from_pylist(whole, schema)])


def put_images(lake: Lake, names: Iterable[object]) -> list[str]:
    """Images with these names, each found at a place of its name; their ids."""
    every = [str(name) for name in names]
    put(lake, "images", [{"image_id": image_id(n)} for n in every])
    put(
        lake,
        "sightings",
        [{"image_id": image_id(n), "origin": f"photos/{n}.jpg", "uri": f"/{n}", "size_bytes": 100_000} for n in every],
    )
    return [image_id(n) for n in every]


def ask(lake: Lake, name: str, **parameters: object) -> list[dict[str, Any]]:
    with Session(lake) as session:
        rows: list[dict[str, Any]] = (
            run_query(session, read_statement(f"curation/{name}"), parameters).read_all().to_pylist()
        )
        return rows


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def label(lake: Lake, task: str, pairs: list[tuple[str, str]], **more: object) -> None:
    put(
        lake,
        "labels",
        [
            {"image_id": image, "task": task, "label": text, "annotator": "a", "source": "import", **more}
            for image, text in dict.fromkeys(pairs)
        ],
    )
