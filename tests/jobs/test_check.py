"""imagelake check: every fault is planted in a real lake, and found by the check that is there for it, and no other."""

import json
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction

from imagelake.cli import main
from imagelake.lake.checks import all_checks, run_checks
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, table_names
from tests.sql import small

NOBODY = "f" * 64
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("check"))


@pytest.fixture
def made(sound: Lake, tmp_path: Path) -> Lake:
    shutil.copytree(sound.root, tmp_path / "lake")
    return Lake(str(tmp_path / "lake"))


def plant(lake: Lake, table: str, **changes: object) -> None:
    """Append the table's first row with other values, past all validation; two of them where it has none."""
    definition = table_def(table)
    with Session(lake) as session:
        found = session.arrow(f"select * from raw.{table} limit 1").to_pylist()
    row = found[0] if found else dict.fromkeys(definition.schema.names)
    row.update(changes)
    rows = pa.Table.from_pylist([row] if found else [row, row], schema=definition.schema)
    with duckdb.connect() as con:
        con.register("planted", rows)
        file = f"planted-{uuid.uuid4().hex}.parquet"
        con.execute(f"copy planted to '{lake.storage.path(f'tables/{table}/{file}')}' (format parquet)")
    size = lake.storage.size(f"tables/{table}/{file}")
    assert size is not None
    delta = lake.delta(table)
    action = AddAction(file, size, {}, 0, data_change=True, stats=json.dumps({"numRecords": rows.num_rows}))
    delta.create_write_transaction([action], "append", delta.schema(), commit_properties=CommitProperties())


def failing(lake: Lake, *, deep: bool = False) -> dict[str, int]:
    return {finding.name: finding.count for finding in run_checks(lake, deep=deep) if not finding.passed}


def test_a_sound_lake_passes(sound: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--lake", sound.root, "--deep"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["pass", name] for name in all_checks(deep=True)]


def test_an_empty_lake_passes(lake: Lake) -> None:
    assert failing(lake, deep=True) == {}


@pytest.mark.parametrize("table", sorted(set(table_names()) - {"archives"}))
def test_a_key_that_is_there_twice(made: Lake, table: str) -> None:
    plant(made, table)
    assert failing(made)[f"{table}_unique_key"] == 1


@pytest.mark.parametrize("table", ["sightings", "hashes", "exif", "thumbnails", "embeddings", "labels"])
def test_orphans(made: Lake, table: str) -> None:
    plant(made, table, image_id=NOBODY)
    assert failing(made) == {f"{table}_without_image": 1}


@pytest.mark.parametrize("column", ["image_id", "other_id"])
def test_orphans_on_either_side(made: Lake, column: str) -> None:
    with Session(made) as session:
        ids = [row[0] for row in session.execute("select image_id from images order by 1 limit 2").fetchall()]
    plant(made, "pairs", **{"image_id": ids[0], "other_id": ids[1], column: NOBODY})
    assert failing(made)["pairs_without_image"] == 2, "two rows were planted"


def test_every_table_of_images_is_checked() -> None:
    """A new table with image_id has its check by itself."""
    with_images = {n for n in table_names() if "image_id" in table_def(n).not_null} - {"images", "forgotten"}
    assert with_images >= {"quality", "neighbours", "groups", "dataset_images", "predictions"}
    assert {f"{name}_without_image" for name in with_images} <= set(all_checks(deep=False))


@pytest.mark.parametrize(
    ("table", "changes", "check"),
    [
        ("groups", {"group_id": "g", "role": "member", "size": 2}, "groups_without_keeper"),
        ("groups", {"group_id": "g", "role": "keeper", "size": 2}, "groups_without_keeper"),
        ("datasets", {"dataset": "d", "dataset_version": 1, "images": 3}, "datasets_without_images"),
        ("exports", {"dataset": "d", "dataset_version": 1}, "exports_without_dataset"),
        ("failures", {"image_id": NOBODY, "stage": "x"}, "failures_without_image"),
        ("failures", {"run_id": "never"}, "failures_without_run"),
        ("embeddings", {"version": 2, "vector": [3.0, 4.0], "norm": 5.0}, "embeddings_of_differing_dimension"),
        ("embeddings", {"version": 2, "norm": float("nan")}, "embeddings_of_invalid_norm"),
        ("embeddings", {"version": 2, "norm": None}, "embeddings_of_invalid_norm"),
        ("embeddings", {"version": 2, "norm": 123.0}, "embeddings_of_invalid_norm"),
        ("images", {"image_id": NOBODY, "uri": "planted", "run_id": "RUN"}, "images_without_sighting"),
        ("images", {"image_id": NOBODY, "uri": "blobs/gone.tar"}, "blobs_missing_or_short"),
        ("images", {"image_id": NOBODY, "offset_bytes": 1 << 40}, "blobs_missing_or_short"),
        ("images", {"image_id": NOBODY, "length_bytes": 3}, "images_of_overlapping_bytes"),
        ("runs", {"run_id": "x", "status": "failed", "read": 7, "finished_at": NOW}, "runs_do_not_add_up"),
        ("runs", {"run_id": "x", "status": "succeeded", "finished_at": NOW}, "runs_without_start"),
    ],
)
def test_faults(made: Lake, table: str, changes: dict[str, object], check: str) -> None:
    if changes.get("run_id") == "RUN":
        with Session(made) as session:
            changes["run_id"] = session.execute("select max(run_id) from images").fetchall()[0][0]
    plant(made, table, **changes)
    assert failing(made)[check] in (1, 2), "two rows are planted where the table was empty"


def test_a_group_of_a_data_set_in_two_splits(made: Lake) -> None:
    for split in ("train", "test"):
        plant(made, "dataset_images", dataset="d", dataset_version=1, group_id="g", split=split)
    assert failing(made)["dataset_images_of_split_groups"] == 1


def test_images_of_a_killed_run_may_wait_for_their_sightings(made: Lake) -> None:
    plant(made, "runs", run_id="killed", status="running", finished_at=None)
    plant(made, "images", image_id=NOBODY, run_id="killed", uri="planted")
    assert "images_without_sighting" not in failing(made)


def test_a_shard_that_was_cut(made: Lake) -> None:
    [(shard, size, _)] = made.storage.list("blobs")
    made.storage.write(shard, made.storage.read(shard)[: size // 2])
    assert set(failing(made)) == {"blobs_missing_or_short"}


def test_a_byte_that_was_changed_is_found_by_deep_only(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with Session(made) as session:
        image_id, shard, offset = session.execute("select image_id, uri, offset_bytes from images limit 1").fetchall()[
            0
        ]
    data = bytearray(made.storage.read(shard))
    data[offset + 10] ^= 1
    made.storage.write(shard, bytes(data))
    assert failing(made) == {}
    assert main(["check", "--lake", made.root, "--deep"]) == 7
    told = capsys.readouterr()
    assert image_id in told.out
    assert "FAIL  blobs_differ: 1 row\n" in told.out
    assert told.err == f"imagelake: 1 of {len(all_checks(deep=True))} checks failed: blobs_differ\n"


def test_a_file_of_a_table_that_is_gone(made: Lake) -> None:
    table: DeltaTable = made.delta("hashes")
    Path(table.file_uris()[0].removeprefix("file://")).unlink()
    found = failing(made)
    assert found["hashes_missing_files"] == 1
    assert found["hashes_unique_key"] == 1, "what cannot be read is told, and the other checks go on"
    assert "images_unique_key" not in found


def test_json(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nobody/1", "nobody/2"):
        plant(made, "sightings", image_id=NOBODY, origin=name)
    assert main(["check", "--lake", made.root, "--json"]) == 7
    [line] = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["passed"] is False
    [bad] = [check for check in told["checks"] if check["rows"]]
    assert (bad["name"], bad["rows"], bad["first"][0]["image_id"]) == ("sightings_without_image", 2, NOBODY)


def test_in_place_originals_are_checked(tmp_path: Path, make_pictures: Callable[..., Path], lake: Lake) -> None:
    photos = make_pictures(tmp_path / "photos", 3)
    assert main(["ingest", "--lake", lake.root, "--in-place", "--quiet", str(photos)]) == 0
    assert failing(lake, deep=True) == {}
    (photos / "a" / "00000.jpg").unlink()
    assert failing(lake) == {"blobs_missing_or_short": 1}
