"""Real replies of Flickr and the thesis's file of photo ids."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from imagelake.extract.records import exif_of_raw
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.sources.flickr.collect import Wanted
from imagelake.sources.flickr.exif import TAGS, check_required, exif_of
from imagelake.sources.flickr.lists import listed_pages
from imagelake.sources.flickr.photos import describe_by_info
from imagelake.sources.flickr.rows import record
from imagelake.sources.flickr.service import _RIGHTS, Flickr


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    return corpus / "flickr"


def reply(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


class Gives:
    """An API that has one reply."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def get(self, path: str, params: object = ()) -> Any:
        return self.given


@pytest.mark.parametrize("n", range(9))
def test_lists_of_photos(folder: Path, n: int) -> None:
    given = reply(folder, f"reply_photo_{n}")
    flickr = Flickr(Gives(given))
    page = next(listed_pages(lambda page: flickr.call("flickr.photos.search", {"page": page}), 1, 1, 100))
    assert page.total == (487 if n == 0 else 1)
    assert len(page.photos) == len(given["photos"]["photo"]) > 0
    for photo in page.photos:
        row = record(photo, None, "b", {"photo": photo})
        assert row["source_id"] == photo["id"]
        assert row["media_url"] == f"https://live.staticflickr.com/65535/{photo['id']}_{photo['secret']}_b.jpg"


def test_exif(folder: Path) -> None:
    exif = exif_of(Flickr(Gives(reply(folder, "reply_photoexif_0"))), {"id": "52989708325"})
    assert exif.status == "ok"
    assert exif.tags is not None
    assert len(exif.tags) == 88
    absent = {"Orientation", "BrightnessValue"}
    check_required(exif, [tag for tag in TAGS if tag not in absent])
    row = exif_of_raw({"exif": exif.tags})
    expected = {
        "make": "NIKON CORPORATION", "model": "NIKON D750", "lens": "TAMRON 28-300mm F3.5-6.3 Di VC PZD A010N",
        "focal_length_mm": 35.0, "focal_length_35mm_mm": 35.0, "f_number": 22.0, "exposure_time_s": 1 / 60, "iso": 100,
        "exposure_bias_ev": 0.0, "max_aperture_f": 3.9, "flash_fired": False, "light_source": 0,
        # `clean` says High and Hard
        "saturation": 0, "contrast": 0, "sharpness": 0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    tags = row["tags"]
    assert isinstance(tags, list)
    assert ("ExifIFD FocalLength", "35.0 mm") in tags
    assert len(tags) == 88


def test_info(folder: Path) -> None:
    flickr = Flickr(Gives(reply(folder, "reply_photoinfo_0")))
    photo, raw = describe_by_info(flickr, Wanted(exif=False))({"id": "52992805950", "server": "1234", "secret": "x"})
    row = record(photo, flickr.rights(photo["license"]), "b", raw)
    assert (row["title"], row["creator"], row["licence"]) == ("Hier bin ich", "KaAuenwasser", "ARR")
    assert row["media_url"] == "https://live.staticflickr.com/65535/52992805950_034d512c5c_b.jpg"
    assert isinstance(row["tags"], list)
    assert row["tags"][:2] == ["Wild", "Wildlife"]
    assert row["page_url"] == "https://www.flickr.com/photos/153496924@N03/52992805950"


def test_licences_are_those_of_the_service(folder: Path) -> None:
    listed = reply(folder, "reply_license_0")["licenses"]["license"]
    assert {one["id"]: one["url"] or one["name"] for one in listed} == _RIGHTS


def test_the_file_of_the_thesis_without_a_key(folder: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    job = importlib.import_module("imagelake.jobs.harvest_flickr_photos")
    config = job.Config(file=str(folder / "photo_ids_by_concept.json"), lake=lake.root, quiet=True)
    report = job.run(config, lake)
    assert (report.read, report.written, report.already_present, report.rejected) == (42_986, 36_344, 32, 6_610)
    # 23 of the ids listed twice have the placeholder once and their server once: they are not lost
    assert report.details == {
        "ids listed": 42_986,
        "different ids": 42_954,
        "ids listed more than once": 32,
        "rows with the placeholder server 1234": 6_633,
    }
    with Session(lake) as session:
        assert session.execute("select reason, count(*) from failures group by all").fetchall() == [
            ("placeholder_server", 6_610)
        ]
        labels = session.execute("select task, label, count(*) from record_labels group by all order by all").fetchall()
        two = session.execute("select label from record_labels where source_id = '51874896243' order by all").fetchall()
    counts = {
        "landscape": 5000,
        "landscape,forest": 10,
        "landscape,mountain": 13,
        "landscape,skyline": 7763,
        "object": 5000,
        "object,food": 5000,
    }
    counts |= {"object,furniture": 2387, "object,toys": 6203, "object,vehicle": 5000}
    assert labels == [("concept", label, count) for label, count in sorted(counts.items())]
    assert two == [("object,toys",), ("object,vehicle",)]
