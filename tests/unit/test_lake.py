"""A lake: created once, completed and evolved, moved, read as it was."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, Schema

from imagelake.errors import LakeNotFound, QueryError, UsageError
from imagelake.lake import lake as lakes
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake, create_lake, open_lake
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, table_names, to_table


def add_labels(lake: Lake, *names: str) -> None:
    rows = [
        {
            "image_id": f"{i:064x}",
            "task": "t",
            "label": name,
            "annotator": "me",
            "source": "person",
            "confidence": 0.5,
            "labelled_at": datetime(2026, 1, 1, tzinfo=UTC),
            "run_id": "run",
        }
        for i, name in enumerate(names)
    ]
    committer = Committer(lake, "run", lake.ensure_tables(["labels"]))
    with duckdb.connect() as con:
        definition = table_def("labels")
        committer.add(write_fragment(lake.storage, definition, to_table(definition, rows), "run", con))
    committer.flush()


def labels(lake: Lake, as_of: str | None = None) -> list[str]:
    with Session(lake, as_of) as session:
        return [row[0] for row in session.execute("select label from labels order by label").fetchall()]


def test_creating_twice_is_harmless(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    add_labels(lake, "a")
    create_lake(lake.root)
    assert labels(lake) == ["a"]
    assert sorted(p.name for p in (tmp_path / "lake" / "tables").iterdir()) == table_names()


def test_a_place_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError):
            create_lake(str(place))
    with pytest.raises(LakeNotFound, match="imagelake init"):
        open_lake(str(tmp_path))
    with pytest.raises(LakeNotFound):
        open_lake(str(tmp_path / "file"))


def test_a_newer_format_is_refused(lake: Lake) -> None:
    lake.storage.write(lakes.MARKER, json.dumps({"format": lakes.FORMAT + 1}).encode())
    with pytest.raises(UsageError, match="newer imagelake"):
        open_lake(lake.root)


def test_a_lake_can_be_moved(lake: Lake, tmp_path: Path) -> None:
    add_labels(lake, "a", "b")
    shutil.move(lake.root, tmp_path / "elsewhere")
    assert labels(open_lake(str(tmp_path / "elsewhere"))) == ["a", "b"]


def test_a_missing_column_is_added_and_old_rows_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = table_def("labels")
    fields = [f for f in Schema.from_arrow(definition.schema).fields if f.name != "confidence"]
    old = Lake(str(tmp_path / "lake"))
    old.storage.write(lakes.MARKER, json.dumps({"format": 1}).encode())
    DeltaTable.create(
        old.storage.uri("tables/labels"), schema=Schema([Field(f.name, f.type, f.nullable) for f in fields])
    )
    row = {
        "image_id": ["0" * 64],
        "task": ["t"],
        "label": ["old"],
        "annotator": ["me"],
        "source": ["person"],
        "labelled_at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "run_id": ["run"],
    }
    from deltalake import write_deltalake

    write_deltalake(old.storage.uri("tables/labels"), pa.table(row), mode="append")
    add_labels(old, "new")
    with Session(old) as session:
        rows = session.execute("select label, confidence from labels order by label").fetchall()
    assert rows == [("new", 0.5), ("old", None)]


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    schema = pa.schema([pa.field("image_id", pa.int64()), *table_def("labels").schema][0:1])
    DeltaTable.create(lake.storage.uri("tables/labels"), schema=Schema.from_arrow(schema))
    with pytest.raises(UsageError, match="image_id is"):
        lake.ensure_tables(["labels"])


def test_time_travel_by_version_by_time_and_before_the_beginning(lake: Lake) -> None:
    add_labels(lake, "a")
    between = datetime.now(UTC).isoformat()
    add_labels(lake, "b", "c")
    assert labels(lake) == ["a", "b", "c"]
    assert labels(lake, "1") == ["a"]
    assert labels(lake, between) == ["a"]
    assert labels(lake, "99") == ["a", "b", "c"]
    assert labels(lake, "2001-01-01") == []
    with pytest.raises(UsageError, match="run_id"):
        labels(lake, "yesterday")


def test_a_wrong_statement_says_why(lake: Lake) -> None:
    with Session(lake) as session:
        for wrong in ("select nothing from images", "selec 1", "select * from picturs"):
            with pytest.raises(QueryError):
                session.execute(wrong)
        assert session.execute("select count(*) from images where image_id = $i", {"i": "'; drop"}).fetchall() == [(0,)]


@pytest.mark.parametrize("name", table_names())
def test_every_column_is_described(name: str) -> None:
    definition = table_def(name)
    assert definition.comment
    assert all(definition.comments.values())
    assert definition.key


def test_delta_gives_the_schema_back(lake: Lake) -> None:
    for name in table_names():
        stored = pa.schema(lake.delta(name).schema().to_arrow())
        expected = table_def(name).schema
        assert stored.names == expected.names
        assert [str(f.type) for f in stored] == [str(f.type) for f in expected]
