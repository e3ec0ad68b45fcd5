"""imagelake forget: nothing of the picture is left in any file, the rest is unharmed, any stop can be repeated."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from imagelake.cli import main
from imagelake.jobs import extract, ingest
from imagelake.jobs import forget as job
from imagelake.lake import forget_rows, forget_rules, maintenance, tables
from imagelake.lake import session as sessions
from imagelake.lake.blobs import ShardWriter
from imagelake.lake.forget_choice import with_derived
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session, sql_files
from tests.conftest import jpeg
from tests.jobs.forgetting import NOW, all_rows, curated, forget, ids, members, mentions, proof, put, query

Make = Callable[..., Path]
WHY = ("--reason", "consent withdrawn")
# These hold ids, never pictures: who was forgotten, what was asked for, and least and greatest ids in Delta's log.
MAY_HOLD_IDS = {"tables/forgotten", "tables/runs"}


def ingested(lake: Lake, folder: Path) -> None:
    ingest.run(ingest.Config((str(folder),), lake.root, labels_from_folders="kind", quiet=True, engine="local"), lake)


def described(lake: Lake, folder: Path, make: Make, count: int = 6) -> Lake:
    ingested(lake, make(folder / "photos", count))
    extract.run(extract.Config(lake.root, embed=("descriptor",), quiet=True, engine="local"), lake)
    return lake


def check(lake: Lake) -> int:
    return main(["check", "--lake", lake.root, "--deep"])


@pytest.fixture
def rich(lake: Lake, tmp_path: Path, make_pictures: Make) -> Lake:
    """Six described pictures, in tables of every kind, with older versions of the tables."""
    described(lake, tmp_path, make_pictures)
    curated(lake, ids(lake))
    assert main(["maintain", "--lake", lake.root, "--compact"]) == 0
    return lake


def secrets_of(lake: Lake, image_id: str) -> list[bytes]:
    """What only this picture has: ends of JPEGs (the beginnings are alike), the name of its original."""
    sql = "select t.jpeg, s.origin from thumbnails as t join sightings as s using (image_id) where image_id = $image_id"
    [(thumbnail, origin)] = query(lake, sql, image_id=image_id)
    return [members(lake)[f"{image_id}.jpg"][-150:], thumbnail[-150:], str(origin).encode()]


def test_nothing_is_left_in_any_file(rich: Lake) -> None:
    gone = ids(rich)[2]
    secrets = secrets_of(rich, gone)
    assert mentions(rich, gone, secrets) >= {"tables/thumbnails", "tables/embeddings", "tables/neighbours", "blobs"}
    assert forget(rich, "--image-id", gone, *WHY) == 0
    assert {path for path in mentions(rich, gone, secrets) if "_delta_log" not in path} == MAY_HOLD_IDS
    assert not mentions(rich, secrets[0].hex(), secrets), "of the picture itself nothing, the log included"
    assert set(proof(rich).values()) == {0}


def test_the_rest_is_unharmed(rich: Lake) -> None:
    names, before, data = ids(rich), all_rows(rich, ids(rich)[2]), members(rich)
    gone = names[2]
    assert forget(rich, "--image-id", gone, *WHY) == 0
    after = all_rows(rich, gone)
    before.pop("groups")  # the others of the group say its new size
    after.pop("groups")
    assert after == before
    assert query(rich, "select image_id, size, role from groups order by role") == [
        (names[0], 2, "keeper"),
        (names[1], 2, "member"),
    ]
    left = members(rich)
    assert left.pop("forgotten") == bytes(len(data.pop(f"{gone}.jpg")))
    assert left == data, "a tar reader reads the others"
    assert check(rich) == 0


def test_what_a_person_has_to_do_is_told(rich: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = ids(rich)[2]
    [(origin, length)] = query(
        rich, "select origin, length_bytes from images join sightings using (image_id) where image_id = $i", i=gone
    )
    capsys.readouterr()
    assert forget(rich, "--image-id", gone, *WHY, "--places", str(tmp_path / "places.csv")) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["forget"].startswith("1 read, 1 written, 0 already present, 0 rejected")
    assert told["in the export /exports/birds"] == "1 picture (yolo of birds version 1)"
    assert told["originals elsewhere"] == f"1: {origin}"
    assert told["look-alikes that stay"] == "2 (table pairs)"
    assert (told["rows of neighbours"], told["rows of thumbnails"], told["pictures overwritten"]) == ("2", "1", "1")
    assert told["bytes overwritten"] == str(length)
    rows = (tmp_path / "places.csv").read_text().splitlines()
    assert rows[1:] == [f'"{gone}","export","/exports/birds"', f'"{gone}","original","{origin}"']
    assert Path(str(origin)).exists(), "the original is not ours"


def test_exports_of_other_splits_and_lists_of_names(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(lake, make_pictures(tmp_path / "photos", 3))
    curated(lake, ids(lake))  # all of them in train
    export = {"dataset": "birds", "dataset_version": 1, "format": "yolo", "images": 1}
    rows = [
        {**export, "location": "/exports/test", "splits": ["test"]},
        {**export, "location": "/exports/both", "splits": ["test", "train"]},
        {**export, "location": "/exports/names", "format": "csv", "images": 0},
    ]
    put(lake, exports=rows)
    put(lake, exports=[{**rows[2], "location": "/exports/both"}])
    capsys.readouterr()
    places = tmp_path / "places.csv"
    assert forget(lake, "--image-id", ids(lake)[0], "--dry-run", "--places", str(places)) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert {line: text for line, text in told.items() if line.startswith("in the export")} == {
        "in the export /exports/birds": "1 picture (yolo of birds version 1)",
        "in the export /exports/both": "1 picture (names only, csv of birds version 1);"
        " 1 picture (yolo of birds version 1)",
        "in the export /exports/names": "1 picture (names only, csv of birds version 1)",
    }
    found = [line.replace('"', "").split(",")[1:] for line in places.read_text().splitlines()[1:5]]
    names = [["names", "/exports/both"], ["names", "/exports/names"]]
    assert found == [["export", "/exports/birds"], ["export", "/exports/both"], *names]


def test_a_lake_whose_exports_do_not_say_their_splits(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(lake, make_pictures(tmp_path / "photos", 1))
    curated(lake, ids(lake))
    with Session(lake) as session:
        older = session.arrow("select * exclude (splits) from exports")
    shutil.rmtree(f"{lake.root}/tables/exports")
    write_deltalake(f"{lake.root}/tables/exports", older)
    assert forget(lake, "--image-id", ids(lake)[0], *WHY) == 0
    assert "in the export /exports/birds: 1 picture" in capsys.readouterr().out


def test_a_group_without_its_keeper_goes_and_one_of_a_data_set_is_renamed(
    lake: Lake, tmp_path: Path, make_pictures: Make
) -> None:
    ingested(lake, make_pictures(tmp_path / "photos", 4))
    names = ids(lake)
    curated(lake, names)
    assert forget(lake, "--image-id", names[0], *WHY) == 0
    assert query(lake, "from groups") == []
    found = query(lake, "select image_id, group_id from dataset_images order by 1")
    assert found == [(names[1], names[1]), (names[2], names[1]), (names[3], names[3])]
    assert set(proof(lake).values()) == {0}
    assert check(lake) == 0


STEPS = ["exif", "erase", "sightings", "images", "drop_history"]


class Killed(BaseException):
    """Stands for a kill: nothing below catches it."""


@pytest.mark.parametrize("step", STEPS)
def test_stopped_at_any_step_the_same_command_finishes(
    lake: Lake, tmp_path: Path, make_pictures: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    described(lake, tmp_path, make_pictures, 3)
    [gone, data] = min(members(lake).items())
    gone = gone.removesuffix(".jpg")
    # after the first steps this query gives nothing any more
    chosen = ("--sql", f"select image_id from labels where image_id = '{gone}'")

    def stop(*arguments: object) -> object:
        if step in ("erase", "drop_history") or arguments[1] == step:
            raise Killed
        return forget_rows.purge(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(job, step if step in ("erase", "drop_history") else "purge", stop)
        with pytest.raises(Killed):
            forget(lake, *chosen, *WHY)
    assert query(lake, "select image_id from forgotten") == [(gone,)]
    assert mentions(lake, gone, [data[-150:]]) - MAY_HOLD_IDS, "something is left to do"
    assert forget(lake, *chosen, *WHY) == 0
    assert not mentions(lake, gone, [data[-150:]]) & {"blobs", "tables/hashes", "tables/exif", "tables/images"}
    assert set(proof(lake).values()) == {0}
    assert check(lake) == 0
    assert forget(lake, *chosen, *WHY) == 2, "finished, and nothing is chosen"


def test_killed_for_good_it_waits_for_a_word(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(lake, make_pictures(tmp_path / "photos", 3))
    gone = ids(lake)[0]
    kill = (
        "import os, signal, sys; from imagelake.jobs import forget; from imagelake.cli import main\n"
        "forget.erase = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", kill, "forget", "--lake", lake.root, "--image-id", gone, *WHY]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    capsys.readouterr()
    assert forget(lake, "--image-id", gone, *WHY) == 8
    assert "is at work, or was killed: nothing was done; run the same command again" in capsys.readouterr().err
    assert forget(lake, "--image-id", gone, *WHY, "--alone") == 0
    assert set(proof(lake).values()) == {0}
    assert f"{gone}.jpg" not in members(lake)


def test_beside_a_run_at_work(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that began before goes on, loses nothing, and what it still says of the picture goes next time."""
    ingested(lake, make_pictures(tmp_path / "photos", 3))
    gone, kept, *_ = ids(lake)
    report = RunReport(new_run_id(), "extract")
    with start_run(lake, report, job.Config(), lake.ensure_tables(["labels"]), main_table="labels") as run:
        capsys.readouterr()
        assert forget(lake, "--image-id", gone, *WHY) == 8
        told = capsys.readouterr().err
        assert f"run {report.run_id} (extract, since" in told
        assert "the pictures are out, but older versions of the tables still have them" in told
        assert set(proof(lake).values()) == {0}
        definition = tables.table_def("labels")
        facts = {"task": "late", "label": "x", "annotator": "a", "source": "s", "labelled_at": NOW, "run_id": "r"}
        rows = tables.to_table(definition, [{"image_id": i, **facts} for i in (gone, kept)])
        with forget_rows.duckdb.connect() as con:
            run.committer.add(forget_rows.write_fragment(lake.storage, definition, rows, report.run_id, con))
    assert {k for k, v in proof(lake).items() if v} == {"labels"}
    assert check(lake) == 7
    assert "FAIL  forgotten_still_there" in capsys.readouterr().out
    assert forget(lake, "--image-id", gone, *WHY) == 0
    assert query(lake, "select image_id from labels where task = 'late'") == [(kept,)]
    assert check(lake) == 0


def test_files_that_another_writer_replaced_meanwhile(
    lake: Lake, tmp_path: Path, make_pictures: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        ingested(lake, make_pictures(tmp_path / f"photos{i}", 2, seed=10 * i))
    gone = ids(lake)[0]
    original, done = forget_rows._replacements, []

    def then_compacted(lake: Lake, *arguments: object) -> object:
        actions = original(lake, *arguments)  # type: ignore[arg-type]
        if arguments[1] == "images" and not done:
            done.append(maintenance.compact(lake, "images"))
        return actions

    monkeypatch.setattr(forget_rows, "_replacements", then_compacted)
    assert forget(lake, "--image-id", gone, *WHY) == 0
    assert done[0].files_before == 3
    assert len(ids(lake)) == 5
    assert check(lake) == 0


def test_ingest_does_not_bring_it_back(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    photos = make_pictures(tmp_path / "photos", 2)
    ingested(lake, photos)
    gone = hashlib.sha256(jpeg(0)).hexdigest()
    assert forget(lake, "--image-id", gone, *WHY) == 0
    with zipfile.ZipFile(tmp_path / "again.zip", "w") as file:
        file.writestr("x.jpg", jpeg(0))
    for source, already in ((photos, 1), (tmp_path / "again.zip", 0)):
        config = ingest.Config((str(source),), lake.root, quiet=True, engine="local", in_place=True)
        report = ingest.run(config, lake)
        assert (report.written, report.already_present, report.rejected) == (0, already, 1)
        assert ingest.run(config, lake).rejected == 0, "known by now"
    assert set(query(lake, "select reason, image_id from failures")) == {("forgotten", None)}
    assert gone not in ids(lake)
    assert set(proof(lake).values()) == {0}


def test_copies_that_have_no_row_go_too(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    """Two runs may store the same picture at the same time; the second copy is in a shard, but not in `images`."""
    ingested(lake, make_pictures(tmp_path / "photos", 2))
    gone, other = hashlib.sha256(jpeg(0)).hexdigest(), hashlib.sha256(jpeg(7)).hexdigest()
    shard = ShardWriter(lake.storage, "other")
    shard.add(gone, "jpg", jpeg(0))
    shard.add(other, "jpg", jpeg(7))
    uri, offset, length = shard.flush()[other]
    about = {"format": "JPEG", "width_px": 40, "height_px": 30, "mode": "RGB", "frames": 1, "has_alpha": False}
    image = {"image_id": other, "uri": uri, "offset_bytes": offset, "length_bytes": length, **about}
    put(lake, images=[image], sightings=[{"image_id": other, "origin": "o", "uri": "o", "size_bytes": length}])
    lake.storage.write("blobs/of-a-killed-run.tar", lake.storage.read(uri))
    assert forget(lake, "--image-id", gone, *WHY) == 0
    assert not mentions(lake, gone, [jpeg(0)[-150:]]) & {"blobs"}
    assert not lake.storage.exists("blobs/of-a-killed-run.tar")
    assert check(lake) == 0


def test_an_original_in_place_is_listed_and_left(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = make_pictures(tmp_path / "photos", 1)
    ingest.run(ingest.Config((str(photos),), lake.root, in_place=True, quiet=True, engine="local"), lake)
    assert forget(lake, "--sql", "select image_id from images;", *WHY, "--json") == 0
    details = json.loads(capsys.readouterr().out)["details"]
    assert details["originals elsewhere"] == f"1: {photos}/a/00000.jpg"
    assert (details["pictures overwritten"], details["rows of images"]) == (0, 1)
    assert (photos / "a/00000.jpg").read_bytes() == jpeg(0)


def test_a_dry_run_changes_nothing(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    described(lake, tmp_path, make_pictures, 3)
    curated(lake, ids(lake))
    chosen = ("--sql", "select image_id from images order by 1 limit 2")
    assert forget(lake, *chosen, "--dry-run", "--places", "/nowhere/x.csv") == 2
    assert "--places /nowhere/x.csv: No such file" in capsys.readouterr().err
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path(lake.root).rglob("*") if p.is_file()}
    assert forget(lake, *chosen, "--dry-run") == 0
    told = capsys.readouterr().out
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path(lake.root).rglob("*") if p.is_file()} == before
    assert "pictures that would be taken out: 2" in told
    assert "rows of thumbnails: 2" in told
    assert "in the export /exports/birds: 2 pictures" in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--image-id", "ab" * 32, *WHY], 2, f"no image of the lake has the id {'ab' * 32}"),
        (["--image-id", "ab", *WHY], 2, "give all 64 characters"),
        ([*WHY], 2, "say which pictures: --image-id or --sql"),
        (["--image-id", "x", "--sql", "from images", *WHY], 2, "say which pictures"),
        (["--sql", "from images"], 2, "say why: --reason TEXT"),
        (["--sql", "from images where false", *WHY], 2, "chooses no picture of the lake: nothing to forget"),
        (["--sql", "select origin from sightings", *WHY], 6, "image_id"),
        (["--sql", "drop table images", *WHY], 6, "syntax error"),
        (["--sql", "select '' as image_id", *WHY], 2, "no image of the lake has the id"),
        (["--sql", "select '' as image_id -- none", *WHY], 2, "no image of the lake has the id"),
    ],
)
def test_mistakes_are_one_line(
    lake: Lake, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forget(lake, *arguments) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert query(lake, "from forgotten") == []


def test_a_lake_on_s3(s3: str, tmp_path: Path, make_pictures: Make) -> None:
    lake = described(create_lake(f"{s3}/lake"), tmp_path, make_pictures, 3)
    gone, data = ids(lake)[1], members(lake)
    secret = data[f"{gone}.jpg"][-150:]
    assert forget(lake, "--image-id", gone, *WHY) == 0
    assert {path for path in mentions(lake, gone, [secret]) if "_delta_log" not in path} == MAY_HOLD_IDS
    left = members(lake)
    assert left.pop("forgotten") == bytes(len(data.pop(f"{gone}.jpg")))
    assert left == data
    assert check(lake) == 0
    assert forget(lake, "--image-id", gone, *WHY) == 0


def test_files_that_lack_a_newer_column(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    ingested(lake, make_pictures(tmp_path / "photos", 2))
    gone, kept = ids(lake)
    facts = {"task": "t", "label": "l", "annotator": "a", "source": "s", "run_id": "r"}
    definition = tables.table_def("labels")
    older = pa.schema([f for f in definition.schema if f.name != "confidence"])
    rows = pa.Table.from_pylist(
        [{"image_id": i, **facts, "labelled_at": NOW} for i in (gone, kept)],
        pa.schema([f.with_nullable(True) for f in older]),
    )
    import deltalake

    root = Path(lake.root, "tables/labels")
    root.rename(tmp_path / "moved")
    deltalake.write_deltalake(str(root), rows)
    lake.ensure_tables(["labels"])
    assert forget(lake, "--image-id", gone, *WHY) == 0
    assert query(lake, "select image_id, label, confidence from labels") == [(kept, "l", None)]


CROPS = """
create table crops (
  image_id varchar not null, parent_id varchar not null, run_id varchar not null, primary key (image_id)
);
comment on table crops is 'c';
"""


def test_pictures_made_from_it_go_too_and_a_new_table_is_included(
    lake: Lake, tmp_path: Path, make_pictures: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {**tables._definitions(), **tables.parse({"crops": CROPS})}
    names = sorted(known)
    monkeypatch.setattr(tables, "_definitions", lambda: known)
    for module in (sessions, forget_rules, sys.modules["imagelake.lake.forget_choice"]):
        monkeypatch.setattr(module, "table_names", lambda: names)
    ingested(lake, make_pictures(tmp_path / "photos", 4))
    whole, crop, crop_of_crop, other = ids(lake)
    put(lake, crops=[{"image_id": crop_of_crop, "parent_id": crop}, {"image_id": crop, "parent_id": whole}])
    assert "crops" in forget_rules.tables_in_order(records=False)
    with Session(lake) as session:
        chosen = session.arrow("select image_id, false as is_forgotten from images where image_id = $i", {"i": whole})
        assert with_derived(session, chosen)["image_id"].to_pylist() == [whole, crop, crop_of_crop]
    assert forget(lake, "--image-id", whole, *WHY) == 0
    assert ids(lake) == [other]
    assert query(lake, "select count(*) from forgotten") == [(3,)]
    assert query(lake, "from crops") == []


def test_the_view_names_every_table() -> None:
    text = sql_files("views")["forgotten_rows"]
    for name in forget_rules.tables_in_order(records=False):
        part = text.partition(f"'{name}' as table_name")[2].partition("union all")[0]
        for column in forget_rules.id_columns(tables.table_def(name)):
            assert f"t.{column} in (select f.image_id from forgotten as f)" in part, f"{name}.{column}"
    assert text.count("as table_name") == len(forget_rules.tables_in_order(records=False))


def test_the_proof(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "--lake", lake.root, "--file", "curation/forgotten_proof", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '"table_name","rows_left"'
    assert {line.split(",")[1] for line in lines[1:]} == {"0"}
    assert os.sep not in lines[1]
