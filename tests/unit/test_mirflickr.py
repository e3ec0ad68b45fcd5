"""Files of MIRFLICKR and of the thesis's crawler, and the origins that ingest gives to the same files."""

import json
import zipfile
from pathlib import Path

import pytest

from imagelake.errors import SourceError
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.sources.flickr.archive import Tasks, archive_pages
from imagelake.sources.harvesting import Known, Page
from imagelake.sources.members import members
from imagelake.sources.mirflickr import mirflickr_pages, parse_exif


def write(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(folder)


def packed(path: Path, files: dict[str, str]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("-Exposure\n0.01 sec (1/100)\n-ISO Speed\n400\n", {"Exposure": "0.01 sec (1/100)", "ISO Speed": "400"}),
        ("-Exposure Bias\n-1/3 EV\n", {"Exposure Bias": "-1/3 EV"}),
        ("-Empty\n\n-Make\nCanon\n-Comment\ntwo\nlines\n-Make\nNikon", {"Make": "Nikon", "Comment": "two\nlines"}),
        ("Make\nCanon\nISO\n100\nlast", {"Make": "Canon", "ISO": "100"}),
        ("", {}),
        ("value\n-Make\nCanon", {"Make": "Canon"}),
    ],
)
def test_exif_lines_alternate(text: str, tags: dict[str, str]) -> None:
    assert parse_exif(text) == tags


def known_of(lake: Lake, session: Session, provider: str) -> Known:
    lake.ensure_tables(["records", "failures"])
    return Known(session, provider, "job", {}, retry_failed=False)


def joined(pages: list[Page], table: str) -> list[dict[str, object]]:
    return [row for page in pages for row in page.rows.get(table, [])]


MIRFLICKR = {
    "mirflickr/im10.jpg": "ten",
    "mirflickr/im2.jpg": "two",
    "mirflickr/meta/exif/exif2.txt": "-Exposure\n0.01 sec (1/100)\n",
    "mirflickr/meta/exif_raw/exif2.txt": "-Exposure\n1/100\n",
    "mirflickr/meta/exif/exif10.txt": "",
    "mirflickr/meta/tags_raw/tags2.txt": "New York\n",
    "mirflickr/meta/tags/tags2.txt": "newyork\nn\udce9e\n",
    "mirflickr/meta/license/license2.txt": "no",
    "annotations/baby.txt": "2\n10\n10\n",
    "annotations/baby_r1.txt": "2\n",
    "annotations/plant_life.txt": "10\n99\n",
    "annotations/README.txt": "read me",
    "more/im2.jpg": "again",
}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_mirflickr(tmp_path: Path, lake: Lake, kind: str) -> None:
    files = {name: text.replace("\udce9", "é") for name, text in MIRFLICKR.items()}
    source = write(tmp_path / "data", files) if kind == "folder" else packed(tmp_path / "data.zip", files)
    with Session(lake) as session:
        known = known_of(lake, session, "mirflickr")
        pages = list(mirflickr_pages(source, known))
        again = list(mirflickr_pages(source, known))
    two, ten = joined(pages, "records")
    raw = json.loads(str(two["raw"]))
    joint = "/" if kind == "folder" else "!"
    first = "mirflickr/im2.jpg"
    assert (two["source_id"], two["media_url"], two["tags"]) == ("2", f"{source}{joint}{first}", ["newyork", "née"])
    assert raw == {"number": 2, "exif": {"Exposure": "1/100"}, "exif_status": "ok"}
    assert json.loads(str(ten["raw"])) == {"number": 10, "exif": {}, "exif_status": "none"}
    labels = {(row["source_id"], row["task"], row["label"]) for row in joined(pages, "record_labels")}
    assert labels == {
        ("2", "mirflickr", "baby"),
        ("10", "mirflickr", "baby"),
        ("10", "mirflickr", "plant_life"),
        ("2", "mirflickr_relevant", "baby"),
    }
    assert len(joined(pages, "record_labels")) == 4
    assert known.details == {"text files that are neither EXIF, tags nor annotations": 1}
    assert (sum(page.present for page in pages), joined(again, "records")) == (1, [])


def test_other_bytes_than_utf8_in_texts(tmp_path: Path, lake: Lake) -> None:
    files = {"im1.jpg": "", "tags1.txt": "caf\udce9", "caf\udce9.txt": "1"}
    with Session(lake) as session:
        pages = list(mirflickr_pages(write(tmp_path, files), known_of(lake, session, "mirflickr")))
    assert joined(pages, "records")[0]["tags"] == [r"caf\xe9"]
    assert joined(pages, "record_labels")[0]["label"] == r"caf\xe9"


@pytest.mark.parametrize("source", ["empty", "missing"])
def test_without_images_it_is_one_line(tmp_path: Path, lake: Lake, source: str) -> None:
    write(tmp_path / "empty", {"a.txt": "1"})
    with Session(lake) as session:
        for pages, provider in ((mirflickr_pages, "mirflickr"), (archive_pages, "flickr")):
            with pytest.raises(SourceError):
                list(pages(str(tmp_path / source), known_of(lake, session, provider), *_tasks(provider)))


def _tasks(provider: str) -> tuple[Tasks, ...]:
    return (Tasks(),) if provider == "flickr" else ()


def exif_reply(iso: str) -> str:
    tags = [{"tagspace": "ExifIFD", "tag": "ISO", "raw": {"_content": iso}}]
    return json.dumps({"photo": {"id": "x", "exif": tags}, "stat": "ok"})


THESIS = {
    "objects/object/object,toys/images/11_ab_7_ .jpg": "1",
    "objects/object/object,toys/exif/11.json": exif_reply("100"),
    "objects/landscape/forest/images/12_cd_8_q.jpg": "2",
    "objects/landscape/forest/exif/12.json": "{broken",
    "objects/landscape/forest/exif/99.json": exif_reply("1"),
    "objects/landscape/beach/images/11_ab_7_ .jpg": "1",
    "objects/landscape/beach/images/13_ef_9.jpg": "3",
    "objects/landscape/beach/images/holiday.jpg": "4",
    "objects/landscape/beach/14_ef_9.jpg": "5",
}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_layout_of_the_thesis(tmp_path: Path, lake: Lake, kind: str) -> None:
    source = write(tmp_path / "data", THESIS) if kind == "folder" else packed(tmp_path / "data.zip", THESIS)
    with Session(lake) as session:
        known = known_of(lake, session, "flickr")
        pages = list(archive_pages(source, known, Tasks("super", "sub")))
        again = list(archive_pages(source, known, Tasks("", "sub")))
    rows = {row["source_id"]: row for row in joined(pages, "records")}
    origin = source + ("/" if kind == "folder" else "!")
    first = "landscape/beach" if kind == "folder" else "object/object,toys"  # the order of the source
    assert {number: row["media_url"] for number, row in rows.items()} == {
        "11": f"{origin}objects/{first}/images/11_ab_7_ .jpg",
        "12": f"{origin}objects/landscape/forest/images/12_cd_8_q.jpg",
        "13": f"{origin}objects/landscape/beach/images/13_ef_9.jpg",
    }
    raws = {number: json.loads(str(row["raw"])) for number, row in rows.items()}
    assert {number: raw["exif_status"] for number, raw in raws.items()} == {"11": "ok", "12": "none", "13": "none"}
    assert raws["11"]["photo"] == {"id": "11", "secret": "ab", "server": "7"}
    labels = {(row["source_id"], row["task"], row["label"]) for row in joined(pages, "record_labels")}
    assert labels == {
        *{("11", "super", "object"), ("11", "sub", "object"), ("11", "sub", "toys"), ("11", "super", "landscape")},
        *{("11", "sub", "beach"), ("12", "super", "landscape"), ("12", "sub", "forest")},
        *{("13", "super", "landscape"), ("13", "sub", "beach")},
    }
    assert known.details == {"EXIF files that cannot be read": 1, "files of a photo that another file has given": 1}
    assert sum(page.present for page in pages) == 1
    assert joined(again, "records") == []
    assert {row["task"] for row in joined(again, "record_labels")} == {"sub"}


def test_members_of_archives_in_a_folder_and_of_archives_in_archives(tmp_path: Path) -> None:
    packed(tmp_path / "inner.zip", {"a.txt": "inner", "im1.jpg": "x"})
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(tmp_path / "inner.zip", "inner.zip")
        outer.writestr("b.txt", "b" * 100)
    (tmp_path / "inner.zip").unlink()
    (tmp_path / "c.bin").write_bytes(b"other")
    folder = str(tmp_path)
    found = dict(members(folder, lambda origin: origin.endswith("a.txt")))
    assert found == {
        f"{folder}/c.bin": None,
        f"{folder}/outer.zip!b.txt": None,
        f"{folder}/outer.zip!inner.zip!a.txt": b"inner",
        f"{folder}/outer.zip!inner.zip!im1.jpg": None,
    }
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="broken"):
        list(members(str(tmp_path / "broken.zip"), lambda _: True))
