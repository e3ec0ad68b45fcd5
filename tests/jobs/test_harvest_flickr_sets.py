"""Photos by lists of ids and from data sets on disk; EXIF of records for pictures of the lake."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.sources.flickr.ids import to_base58
from tests.conftest import jpeg
from tests.jobs.flickr_harvests import KEY, calls, harvest, rows
from tests.servers.flickr import FlickrServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[FlickrServer]:
    with FlickrServer(photos=400, key=KEY) as running:
        yield running


def photo_file(tmp_path: Path, server: FlickrServer) -> str:
    photos = server.photos
    known = {"id": photos.photo_id(0), "secret": photos.secret(0), "server": photos.server(0)}
    path = tmp_path / "ids.json"
    rows_of = {
        "object,toys": [known, {"id": photos.photo_id(1), "secret": "wrong", "server": "1234"}, photos.photo_id(2)],
        "landscape": [
            known,
            {"id": "5", "secret": "a", "server": "7"},
            f"https://flic.kr/p/{to_base58(int(photos.photo_id(3)))}",
        ],
    }
    path.write_text(json.dumps(rows_of))
    return str(path)


def test_a_file_of_ids_with_a_key(tmp_path: Path, lake: Lake, server: FlickrServer) -> None:
    photos = server.photos
    photos.is_video[:4] = [False, False, False, True]
    photos.is_denied[:4] = False
    report = harvest(lake, server, "flickr-photos", photo_file(tmp_path, server), task="super", label="all")
    assert (report.read, report.written, report.already_present, report.rejected) == (6, 3, 1, 2)
    assert report.details["ids listed more than once"] == 1
    assert report.details["rows with the placeholder server 1234"] == 1
    found = rows(lake, "select source_id, media_url, licence, title, raw::json->>'exif_status' from records order by 1")
    for n, (photo_id, media_url, licence, _, status) in enumerate(found):
        assert photo_id == photos.photo_id(n)
        assert media_url == f"https://live.staticflickr.com/{photos.server(n)}/{photo_id}_{photos.secret(n)}_b.jpg"
        assert licence is not None
        assert status == "ok"
    failed = rows(lake, "select item, reason from failures order by reason")
    assert failed == [(f"flickr:{photos.photo_id(3)}", "not_a_photo"), ("flickr:5", "not_found")]
    labels = rows(lake, f"select label from record_labels where source_id = '{photos.photo_id(0)}' order by 1")
    assert labels == [("all",), ("landscape",), ("object,toys",)]
    assert rows(lake, "select distinct task from record_labels") == [("super",)]
    assert calls(server) == {"getInfo": 5, "getExif": 3}
    again = harvest(lake, server, "flickr-photos", photo_file(tmp_path, server), task="super", label="all")
    assert (again.written, again.already_present) == (0, 6)
    assert calls(server) == {"getInfo": 5, "getExif": 3}


def test_private_photos_are_rejected(
    tmp_path: Path, lake: Lake, server: FlickrServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {**server.photos.info(0), "visibility": {"ispublic": 0, "isfriend": 1, "isfamily": 0}}
    monkeypatch.setattr(server.photos, "info", lambda n: hidden)
    path = tmp_path / "ids.txt"
    path.write_text(server.photos.photo_id(0))
    assert harvest(lake, server, "flickr-photos", str(path)).rejected == 1
    assert rows(lake, "select reason from failures") == [("not_public",)]


def test_a_file_of_ids_without_a_key(
    tmp_path: Path, lake: Lake, server: FlickrServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo_file(tmp_path, server)
    monkeypatch.delenv("FLICKR_API_KEY")
    report = harvest(lake, server, "flickr-photos", path)
    assert (report.read, report.written, report.already_present, report.rejected) == (6, 2, 1, 3)
    assert not server.log
    failed = rows(lake, "select reason, count(*) from failures group by all order by all")
    assert failed == [("no_secret", 2), ("placeholder_server", 1)]
    monkeypatch.setenv("FLICKR_API_KEY", KEY)
    report = harvest(lake, server, "flickr-photos", path, metadata_only=True, retry_failed=True)
    assert (report.written, report.already_present) == (3, 3)
    monkeypatch.delenv("FLICKR_API_KEY")
    with pytest.raises(UsageError, match="set FLICKR_API_KEY"):
        harvest(lake, server, "flickr-photos", path, require_tags=("ISO",))


def exif_reply(iso: object) -> str:
    tags = [
        {"tagspace": "ExifIFD", "tag": "ISO", "raw": {"_content": iso}, "clean": {"_content": "1"}},
        {"tagspace": "ExifIFD", "tag": "FNumber", "raw": {"_content": "2.8"}},
    ]
    return json.dumps({"photo": {"exif": tags}, "stat": "ok"})


def data_set(folder: Path) -> str:
    for sub, number, iso in (
        ("object/object,toys", 11, "100"),
        ("object/food", 12, 200),
        ("landscape/beach", 13, None),
    ):
        base = folder / "objects" / sub
        for name in ("images", "exif"):
            (base / name).mkdir(parents=True, exist_ok=True)
        (base / "images" / f"{number}_ab_7_ .jpg").write_bytes(jpeg(number))
        if iso is not None:
            (base / "exif" / f"{number}.json").write_text(exif_reply(iso))
    return str(folder)


@pytest.mark.parametrize("first", ["ingest", "flickr-archive"])
def test_pictures_of_a_data_set_get_labels_and_exif(tmp_path: Path, lake: Lake, first: str) -> None:
    path = data_set(tmp_path / "set")
    ingest = importlib.import_module("imagelake.jobs.ingest")
    config = ingest.Config(source=(path,), lake=lake.root, engine="local", workers=1, quiet=True)
    if first == "ingest":
        ingest.run(config, lake)
        harvest(lake, None, "flickr-archive", path)
    else:
        harvest(lake, None, "flickr-archive", path)
        ingest.run(config, lake)
        assert rows(lake, "select image_id from exif") == []
        harvest(lake, None, "flickr-archive", path)  # finds the pictures
    found = rows(
        lake,
        "select source_id, iso, f_number, source, e.tags['ExifIFD ISO']"
        " from exif as e join record_images using (image_id) order by 1",
    )
    assert found == [("11", 100, 2.8, "flickr", "100"), ("12", 200, 2.8, "flickr", "200")]
    labels = rows(lake, "select source_id, task, label from labels join record_images using (image_id) order by all")
    assert labels == [
        ("11", "sub", "object"), ("11", "sub", "toys"), ("11", "super", "object"), ("12", "sub", "food"),
        ("12", "super", "object"), ("13", "sub", "beach"), ("13", "super", "landscape"),
    ]  # fmt: skip
    harvest(lake, None, "flickr-archive", path)
    assert len(rows(lake, "select image_id from raw.exif")) == 2


def test_of_two_records_with_one_picture_the_first_gives_the_exif(tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "set" / "a" / "b"
    (folder / "images").mkdir(parents=True)
    (folder / "exif").mkdir()
    for number in ("31", "30"):
        (folder / "images" / f"{number}_ab_7.jpg").write_bytes(jpeg(1))
        (folder / "exif" / f"{number}.json").write_text(exif_reply(f"{number}00"))
    ingest = importlib.import_module("imagelake.jobs.ingest")
    ingest.run(ingest.Config(source=(str(tmp_path / "set"),), lake=lake.root, engine="local", quiet=True), lake)
    harvest(lake, None, "flickr-archive", str(tmp_path / "set"))
    assert rows(lake, "select iso from exif") == [(3000,)]


def test_mirflickr_in_the_lake(tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "mirflickr"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"im{number}.jpg").write_bytes(jpeg(number))
    (folder / "exif1.txt").write_text("-Exposure\n0.01 sec (1/100)\n-ISO Speed\n400\n-Flash\nFlash did not fire\n")
    (folder / "baby.txt").write_text("1\n2\n")
    (folder / "baby_r1.txt").write_text("2\n")
    ingest = importlib.import_module("imagelake.jobs.ingest")
    ingest.run(ingest.Config(source=(str(folder),), lake=lake.root, engine="local", quiet=True), lake)
    report = harvest(lake, None, "mirflickr", str(folder))
    assert (report.read, report.written) == (2, 2)
    assert rows(lake, "select exposure_time_s, iso, flash_fired, source from exif") == [(0.01, 400, False, "mirflickr")]
    labels = rows(lake, "select source_id, task, label from labels join record_images using (image_id) order by all")
    assert labels == [("1", "mirflickr", "baby"), ("2", "mirflickr", "baby"), ("2", "mirflickr_relevant", "baby")]
    job = importlib.import_module("imagelake.jobs.harvest_mirflickr")
    sql = job.__doc__.partition('imagelake sql "')[2].partition('"')[0].replace("100", "1")  # the query of the help
    assert [row[1] for row in rows(lake, sql)] == [["baby"], ["baby"]]
