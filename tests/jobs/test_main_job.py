"""The main job: ingest and extract, on both engines, twice, killed, by two at once, in place."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagelake.errors import LakeNotFound
from imagelake.jobs import extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from tests.conftest import jpeg
from tests.jobs.same import bytes_of, contents, versions

Make = Callable[..., Path]


def run_ingest(lake: Lake, *sources: object, **options: object) -> RunReport:
    return ingest.run(ingest.Config(tuple(map(str, sources)), lake.root, quiet=True, **options), lake)


def run_extract(lake: Lake, **options: object) -> RunReport:
    return extract.run(extract.Config(lake.root, **{"embed": ("descriptor",), "quiet": True, **options}), lake)


@pytest.fixture
def folder(tmp_path: Path, make_pictures: Make) -> Path:
    """30 pictures, one of them twice, a truncated one, a text, a zip with a zip in it."""
    made = make_pictures(tmp_path / "photos", 30)
    (made / "again.jpg").write_bytes(jpeg(7))
    (made / "cut.jpg").write_bytes(jpeg(900)[:-60])
    (made / "notes.txt").write_text("not a picture")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as file:
        file.writestr("deep.jpg", jpeg(100))
        file.writestr("known.jpg", jpeg(3))
    with zipfile.ZipFile(made / "scans.zip", "w") as file:
        file.writestr("boxes/flat.jpg", jpeg(101))
        file.write(tmp_path / "inner.zip", "inner.zip")
    return made


def test_every_item_ends_as_exactly_one_thing(lake: Lake, folder: Path) -> None:
    report = run_ingest(lake, folder)
    assert (report.read, report.written, report.rejected) == (36, 35, 1)
    done = run_extract(lake)
    assert (done.read, done.written, done.rejected) == (33, 32, 1)
    with Session(lake) as session:
        rows = session.execute("select item, stage, reason from failures order by item").fetchall()
        assert rows == [(f"{folder}/cut.jpg", "decode", "truncated"), (f"{folder}/notes.txt", "header", "not_an_image")]
        assert session.execute("select count(*) from exif").fetchall() == [(33,)], "EXIF needs no pixels"
        archived = session.execute("select origin from sightings where contains(origin, '!') order by 1").fetchall()
        zipped = f"{folder}/scans.zip!"
        assert archived == [
            (f"{zipped}boxes/flat.jpg",),
            (f"{zipped}inner.zip!deep.jpg",),
            (f"{zipped}inner.zip!known.jpg",),
        ]
        twice = session.execute("select count(*) from sightings group by image_id having count(*) > 1").fetchall()
        assert twice == [(2,), (2,)]


def test_blobs_are_the_files(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder)
    found = bytes_of(lake)
    assert set(found.values()) >= {path.read_bytes() for path in folder.rglob("*.jpg")}
    import tarfile

    for path, _, _ in lake.storage.list("blobs"):
        with tarfile.open(lake.storage.path(path)) as shard:
            for member in shard:
                assert shard.extractfile(member).read() == found[member.name.partition(".")[0]]  # type: ignore[union-attr]


def test_a_zip_behind_a_program_is_an_archive_and_behind_a_picture_is_not(lake: Lake, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inside.zip", "w") as file:
        file.writestr("one.jpg", jpeg(1))
    zipped = (tmp_path / "inside.zip").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "setup.exe").write_bytes(b"MZ" + bytes(9000) + zipped)
    (tmp_path / "in" / "picture.jpg").write_bytes(jpeg(2) + zipped)
    assert run_ingest(lake, tmp_path / "in").written == 2
    with Session(lake) as session:
        origins = [row[0] for row in session.execute("select origin from sightings order by 1").fetchall()]
    assert origins == [f"{tmp_path}/in/picture.jpg", f"{tmp_path}/in/setup.exe!one.jpg"]


def test_second_run_writes_nothing(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder, labels_from_folders="folder")
    run_extract(lake)
    before = versions(lake)
    again, looked = run_ingest(lake, folder, labels_from_folders="folder"), run_extract(lake)
    assert versions(lake) == before
    assert (again.written, again.rejected, again.already_present) == (0, 0, 36)
    assert (looked.written, looked.rejected, looked.rejected_earlier) == (0, 0, 1)


def test_a_changed_file_is_read_again_and_a_touched_one_writes_nothing(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder)
    (folder / "a" / "00000.jpg").write_bytes(jpeg(500))
    os.utime(folder / "b" / "00001.jpg", (1, 1))
    (folder / "notes.txt").write_bytes(jpeg(501))
    report = run_ingest(lake, folder)
    assert (report.written, report.rejected) == (2, 0)
    with Session(lake) as session:
        assert session.execute("select count(*) from images").fetchall() == [(35,)]


def test_retry_failed_tries_again(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder)
    run_extract(lake)
    assert run_ingest(lake, folder, retry_failed=True).rejected == 1
    assert run_extract(lake, retry_failed=True).rejected == 1


def test_labels_come_from_folders_also_for_pictures_known_before(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder)
    run_ingest(lake, folder, labels_from_folders="where")
    with Session(lake) as session:
        rows = session.execute("select label, count(*) from current_labels where task = 'where' group by 1 order by 1")
        assert rows.fetchall() == [("a", 10), ("b", 10), ("boxes", 1), ("c", 10), ("inner.zip", 2), ("photos", 2)]


def test_in_place_references_the_originals(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder, in_place=True)
    with Session(lake) as session:
        rows = session.execute("select uri, offset_bytes from images where uri not like 'blobs/%'").fetchall()
    assert len(rows) == 31
    assert all(Path(uri).is_file() and offset == 0 for uri, offset in rows)
    assert run_extract(lake).written == 32
    (folder / "c" / "00002.jpg").write_bytes(jpeg(800))
    (folder / "c" / "00005.jpg").unlink()
    report = run_extract(lake, embed=(), only=("thumbnails",), retry_failed=True)
    assert report.rejected == 1, "what has its thumbnail is not read again"


def test_bytes_that_changed_in_place_are_rejected_with_the_reason(lake: Lake, folder: Path) -> None:
    run_ingest(lake, folder, in_place=True)
    (folder / "c" / "00002.jpg").write_bytes(jpeg(800))
    (folder / "c" / "00005.jpg").unlink()
    run_extract(lake)
    with Session(lake) as session:
        rows = session.execute("select item, reason from failures where stage = 'read' order by item").fetchall()
    assert rows == [(f"{folder}/c/00002.jpg", "changed"), (f"{folder}/c/00005.jpg", "missing")]


@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_engines_agree_row_by_row(
    lake: Lake,
    folder: Path,
    tmp_path: Path,
    engine: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_ingest(lake, folder, labels_from_folders="folder")
    run_extract(lake)
    other = create_lake(str(tmp_path / "other"))
    options: dict[str, object] = {"engine": "ray"}
    if engine == "ray":
        request.getfixturevalue("shared_ray")
    else:
        monkeypatch.setattr("imagelake.engine.choose.THREADS_PAY", 0)
        options = {"engine": "local", "workers": 2}
    assert run_ingest(other, folder, labels_from_folders="folder", **options).written == 35
    assert run_extract(other, **options).written == 32
    assert contents(lake) == contents(other)
    assert bytes_of(lake) == bytes_of(other)
    before = versions(other)
    run_extract(other, **options)
    assert versions(other) == before


def test_a_new_version_recomputes_and_the_newest_is_shown(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ingest(lake, folder)
    run_extract(lake, pixel_hash=False)
    with Session(lake) as session:
        assert session.execute("select count(*), count(pixel_hash) from hashes").fetchall() == [(32, 0)]
    assert run_extract(lake).written == 32
    with Session(lake) as session:
        assert session.execute("select count(*), count(pixel_hash) from hashes").fetchall() == [(32, 32)]
        assert session.execute("select count(*) from raw.hashes").fetchall() == [(64,)]
    assert run_extract(lake, pixel_hash=False).written == 0


SLOW = """
import sys
from imagelake.lake import commits
commits.FLUSH_SECONDS = 0.0
from imagelake.sources import batches
batches.BATCH_FILES = 40
from imagelake.cli import main
sys.exit(main(sys.argv[1:]))
"""


def _start(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SLOW, *map(str, arguments)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _committed(lake: Lake, table: str) -> int:
    with Session(lake) as session:
        return int(session.execute(f"select count(*) from {table}").fetchall()[0][0])


def _kill_when_under_way(process: subprocess.Popen[bytes], lake: Lake, table: str) -> None:
    """SIGKILL to the process and its children, once something is committed and before all is."""
    while _committed(lake, table) == 0 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before the kill"


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_killed_and_run_again_is_the_same_lake(
    lake: Lake, tmp_path: Path, make_pictures: Make, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 600
    photos = make_pictures(tmp_path / "many", total, width=320, height=240)
    whole = create_lake(str(tmp_path / "whole"))
    run_ingest(whole, photos)
    run_extract(whole)

    options = ("--lake", lake.root, "--engine", engine, "--workers", 2)
    _kill_when_under_way(_start("ingest", *options, photos), lake, "sightings")
    sighted = _committed(lake, "sightings")
    assert 0 < sighted < total
    report = run_ingest(lake, photos)
    assert (report.written, report.already_present) == (total - sighted, sighted)

    _kill_when_under_way(_start("extract", *options, "--embed", "descriptor"), lake, "hashes")
    done = min(_committed(lake, table) for table in ("hashes", "exif", "thumbnails", "embeddings"))
    report = run_extract(lake)
    assert report.written == total - done, "no picture that was committed is read again"
    assert contents(lake) == contents(whole)
    assert set(bytes_of(lake)) == set(bytes_of(whole))


def test_two_jobs_at_once_write_every_row_once(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    photos = make_pictures(tmp_path / "many", 400)
    both = [_start("ingest", "--lake", lake.root, photos) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    both = [_start("extract", "--lake", lake.root, "--embed", "descriptor") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    single = create_lake(str(tmp_path / "single"))
    run_ingest(single, photos)
    run_extract(single)
    assert contents(lake) == contents(single)
    with Session(lake) as session:
        off = session.execute("select count(*) from latest_runs where read <> written + already_present + rejected")
        assert off.fetchall() == [(0,)]


def test_control_c_commits_what_is_finished(lake: Lake, tmp_path: Path, make_pictures: Make) -> None:
    photos = make_pictures(tmp_path / "many", 700, width=320, height=240)
    run_ingest(lake, photos)
    process = _start("extract", "--lake", lake.root)
    while _committed(lake, "hashes") == 0:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    with Session(lake) as session:
        status = session.execute("select status from latest_runs where job = 'extract'").fetchall()
    assert status == [("interrupted",)]
    assert run_extract(lake, embed=()).status == "succeeded"
    assert _committed(lake, "hashes") == 700


def test_no_lake_is_one_line(imagelake: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = imagelake("ingest", "--lake", tmp_path / "none", tmp_path)
    assert done.returncode == LakeNotFound.exit_code
    assert done.stderr.startswith("imagelake: no lake at")
    assert done.stderr.count("\n") == 1
