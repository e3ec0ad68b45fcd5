"""imagelake maintain: the same rows in fewer files, leftovers gone, and a run in the middle is not disturbed."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagelake.cli import main
from imagelake.jobs import extract, ingest
from imagelake.lake import commits, maintenance
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.runs import Run
from imagelake.lake.session import Session, _single_version
from imagelake.lake.tables import table_names
from tests.jobs.same import contents

Make = Callable[..., Path]


def described(lake: Lake, folder: Path, make: Make, rounds: int = 3) -> Lake:
    """A lake with `rounds` files per table."""
    for i in range(rounds):
        photos = make(folder / f"photos{i}", 4, seed=100 * i)
        ingest.run(ingest.Config((str(photos),), lake.root, quiet=True, engine="local"), lake)
        extract.run(extract.Config(lake.root, embed=("descriptor",), quiet=True, engine="local"), lake)
    return lake


def age(lake: Lake, hours: float) -> None:
    """Make every file of the lake older."""
    then = time.time() - hours * 3600
    for path in Path(lake.root).rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def parquet(lake: Lake, table: str) -> list[Path]:
    return list(Path(lake.root, "tables", table).glob("*.parquet"))


def maintain(lake: Lake, *arguments: str) -> int:
    return main(["maintain", "--lake", lake.root, *arguments])


def test_compaction_keeps_every_row(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    described(lake, tmp_path, make_pictures)
    before = contents(lake)
    with Session(lake) as session:
        runs = session.arrow("from runs order by all")
        filled = {name for name in table_names() if session.execute(f"select 1 from {name} limit 1").fetchall()}
    assert maintain(lake, "--compact") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["hashes"][1:3] == ["3", "1"]
    assert contents(lake) == before
    assert {"images", "sightings", "hashes", "exif", "thumbnails", "embeddings", "runs"} <= filled
    for name in filled:
        table = lake.delta(name)
        assert len(table.file_uris()) == 1, name
        if name in ("hashes", "exif", "thumbnails", "embeddings"):
            assert _single_version(table), f"{name}: statistics of version are there, so no sort is needed"
    with Session(lake) as session:
        assert session.arrow("from runs order by all") == runs


def test_everything_without_a_switch(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    described(lake, tmp_path, make_pictures)
    before = contents(lake)
    assert maintain(lake, "--json") == 0
    assert {row["removed_files"] for row in json.loads(capsys.readouterr().out)["tables"]} == {0}, "too young to go"
    replaced = [path.stat().st_size for path in parquet(lake, "thumbnails")]
    assert len(replaced) == 4
    assert maintain(lake, "--json", "--retention-hours", "0") == 0
    told = json.loads(capsys.readouterr().out)
    tables = {row["table"]: row for row in told["tables"]}
    assert told["failed_checks"] == []
    assert tables["thumbnails"]["removed_files"] == 3
    assert tables["thumbnails"]["freed_bytes"] + tables["thumbnails"]["bytes_after"] == sum(replaced)
    assert tables["blobs"]["removed_files"] == 0
    assert contents(lake) == before
    assert len(parquet(lake, "thumbnails")) == 1
    assert list(Path(lake.root, "tables/thumbnails/_delta_log").glob("*.checkpoint.parquet"))
    assert maintain(lake, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["files_before"] - row["files_after"] for row in told["tables"]} == {0}, "nothing left to do"


def test_leftovers_go_and_young_files_stay(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    described(lake, tmp_path, make_pictures, rounds=1)
    before = contents(lake)
    left = ["tables/hashes/killed-1.parquet", "blobs/killed-1.tar", "blobs/x.tar.123.tmp"]
    for path in left:
        lake.storage.write(path, b"left over")
    age(lake, 24 * 8)
    young = ["tables/hashes/killed-2.parquet", "blobs/killed-2.tar"]
    for path in young:
        lake.storage.write(path, b"of a run at work")
    assert maintain(lake, "--vacuum") == 0
    assert [lake.storage.exists(path) for path in left] == [False] * 3
    assert [lake.storage.exists(path) for path in young] == [True] * 2
    assert contents(lake) == before
    assert maintain(lake, "--verify") == 0


def test_time_travel_ends_with_the_vacuum_only(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    described(lake, tmp_path, make_pictures, rounds=2)
    assert maintain(lake, "--compact") == 0
    with Session(lake, "1") as session:
        assert session.execute("select count(*) from images").fetchall() == [(4,)]


def test_a_short_retention_is_refused_while_a_run_may_be_at_work(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    described(lake, tmp_path, make_pictures, rounds=1)
    assert maintain(lake, "--vacuum", "--retention-hours", "0") == 0
    config = ingest.Config((str(tmp_path),), lake.root, quiet=True)
    tables = lake.ensure_tables(["images"])
    from imagelake.lake.runs import RunReport, start_run

    capsys.readouterr()
    with start_run(lake, RunReport("at-work", "ingest"), config, tables, main_table="images"):
        assert maintain(lake, "--vacuum", "--retention-hours", "0") == 2
        assert "run at-work is at work" in capsys.readouterr().err
        assert maintain(lake, "--vacuum", "--retention-hours", "24") == 0
    assert maintain(lake, "--vacuum", "--retention-hours", "-1") == 2


def test_compaction_in_the_middle_of_a_run(
    lake: Lake, tmp_path: Path, make_pictures: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run neither loses nor repeats a row, and a second run finds nothing to do."""
    photos = make_pictures(tmp_path / "photos", 600)
    ingest.run(ingest.Config((str(photos),), lake.root, quiet=True, engine="local"), lake)
    monkeypatch.setattr(commits, "FLUSH_FRAGMENTS", 1)  # commit after every batch
    compacted = []
    take = Run.take

    def take_then_compact(self: Run, batch: dict) -> None:  # type: ignore[type-arg]
        take(self, batch)
        work = [maintenance.compact(lake, name) for name in table_names()]
        for name in table_names():
            maintenance.checkpoint(lake, name)
            maintenance.vacuum(lake, name, 24)
        compacted.append({w.table: w.files_before for w in work})

    with monkeypatch.context() as patched:
        patched.setattr(Run, "take", take_then_compact)
        report = extract.run(extract.Config(lake.root, quiet=True, engine="local"), lake)
    assert len(compacted) > 2
    assert max(files["hashes"] for files in compacted) == 2, "there was something to compact between two commits"
    assert (report.read, report.written, report.already_present) == (600, 600, 0)
    with Session(lake) as session:
        for table in ("hashes", "exif", "thumbnails"):
            counted = f"select count(*), count(distinct image_id) from raw.{table}"
            assert session.execute(counted).fetchall() == [(600, 600)], table
    again = extract.run(extract.Config(lake.root, quiet=True, engine="local"), lake)
    assert (again.written, again.already_present) == (0, 600)
    assert maintain(lake, "--verify") == 0


def test_a_failed_check_is_told(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    described(lake, tmp_path, make_pictures, rounds=1)
    [(shard, _, _)] = lake.storage.list("blobs")
    lake.storage.delete(shard)
    assert maintain(lake) == 7


def test_superseded_versions_are_kept(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    photos = make_pictures(tmp_path / "photos", 3)
    ingest.run(ingest.Config((str(photos),), lake.root, quiet=True), lake)
    for pixel_hash in (False, True):  # the second is another version of `hashes`
        extract.run(extract.Config(lake.root, only=("hashes",), pixel_hash=pixel_hash, quiet=True), lake)
    counting = (
        "select (select count(*) from hashes), (select count(*) from raw.hashes), (select max(version) from hashes)"
    )
    with Session(lake) as session:
        before = session.execute(counting).fetchall()
    assert before[0][:2] == (3, 6)
    assert maintain(lake) == 0
    with Session(lake) as session:
        assert session.execute(counting).fetchall() == before


def test_a_lake_on_s3(s3: str, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """The same jobs on an object store: compaction, leftovers, checks, report, search."""
    lake = described(create_lake(f"{s3}/lake"), tmp_path, make_pictures, rounds=2)
    before = contents(lake)
    lake.storage.write("tables/hashes/killed.parquet", b"left over")
    lake.storage.write("blobs/killed.tar", b"left over")
    assert maintain(lake, "--json", "--retention-hours", "0") == 0
    told = {row["table"]: row for row in json.loads(capsys.readouterr().out)["tables"]}
    assert (told["hashes"]["files_before"], told["hashes"]["files_after"], told["hashes"]["removed_files"]) == (2, 1, 3)
    assert told["blobs"]["removed_files"] == 1
    assert contents(lake) == before
    assert main(["check", "--lake", lake.root, "--deep"]) == 0
    assert main(["report", "--lake", lake.root, "--out", str(tmp_path / "report")]) == 0
    assert (
        main(["search", "--lake", lake.root, "--image", str(tmp_path / "photos0/a/00000.jpg"), "--format", "json"]) == 0
    )
    assert "00000.jpg" in capsys.readouterr().out
