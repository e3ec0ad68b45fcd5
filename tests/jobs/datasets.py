"""Lakes of made-up rows for data sets: images without pictures, with labels, groups, owners, individuals, times."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from imagelake.cli import main
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = "20260101T000000Z-tests0"


def image_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def fill(lake: Lake, table: str, rows: Iterable[Mapping[str, Any]], **constant: Any) -> None:
    """Append rows; what a table wants besides is filled in."""
    definition = table_def(table)
    usual = {"run_id": RUN, "computed_at": NOW, "labelled_at": NOW, "found_at": NOW, "ingested_at": NOW, "version": 1}
    usual |= {"harvested_at": NOW, "seen_at": NOW, "modified_at": NOW, "raw": "{}", "tags": []}
    whole = [{k: v for k, v in {**usual, **constant, **row}.items() if k in definition.schema.names} for row in rows]
    committer = Committer(lake, RUN, lake.ensure_tables([table]))
    with duckdb.connect() as con:
        committer.add(write_fragment(lake.storage, definition, to_table(definition, whole), RUN, con))
    committer.flush()


def images(lake: Lake, count: int) -> list[str]:
    """Images without bytes; their ids in the order of their numbers."""
    ids = [image_id(n) for n in range(count)]
    facts = {"uri": "blobs/x.tar", "offset_bytes": 0, "length_bytes": 1000, "format": "JPEG", "mode": "RGB"}
    facts |= {"width_px": 40, "height_px": 30, "frames": 1, "has_alpha": False}
    fill(lake, "images", ({"image_id": i} for i in ids), **facts)
    return ids


def label(lake: Lake, labels: Mapping[str, str | list[str]], task: str = "animal", annotator: str = "ada") -> None:
    rows = [
        {"image_id": i, "label": one}
        for i, names in labels.items()
        for one in ([names] if isinstance(names, str) else names)
    ]
    fill(lake, "labels", rows, task=task, annotator=annotator, source="person")


def create(lake: Lake, *arguments: object, name: str = "set", sql: str | None = "select image_id from images") -> int:
    statement = [] if sql is None else ["--sql", sql]
    return main(["dataset", "create", name, "--lake", lake.root, *statement, *map(str, arguments)])


def created(lake: Lake, capsys: pytest.CaptureFixture[str], *arguments: object, **more: Any) -> dict[str, Any]:
    """Create; returns the report."""
    capsys.readouterr()
    assert create(lake, *arguments, "--json", **more) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def rows(lake: Lake, name: str = "set", version: int = 1) -> dict[str, dict[str, Any]]:
    """The rows of a version by image."""
    with Session(lake) as session:
        sql = "from dataset_images where dataset = $name and dataset_version = $version"
        found = session.arrow(sql, {"name": name, "version": version}).to_pylist()
    assert len({row["image_id"] for row in found}) == len(found)
    return {row["image_id"]: row for row in found}


def refused(lake: Lake, capsys: pytest.CaptureFixture[str], *arguments: object, **more: Any) -> str:
    """Create what is refused: one line, and nothing is written."""
    capsys.readouterr()
    before = {table: lake.delta(table).version() for table in ("datasets", "dataset_images", "runs", "exports")}
    assert create(lake, *arguments, **more) != 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert before == {table: lake.delta(table).version() for table in before}
    return error
