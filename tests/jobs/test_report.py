"""imagelake report: a page that needs nothing else, survives hostile names, and says what to do when it is empty."""

import csv
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from imagelake.cli import main
from imagelake.curate.report.figures import GRID, OVERVIEW, SECTIONS, figure, human_bytes
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.sql import small

VOID = {"meta", "img", "rect", "link", "br"}


class Page(HTMLParser):
    """What is in a page; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID - {"rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def out(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "report"
    assert main(["report", "--lake", made.root, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "index.html").read_text(encoding="utf-8"))


def test_prints_the_path(made: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--lake", made.root, "--out", str(tmp_path / "r")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/r/index.html\n"


def test_needs_nothing_else(out: Path, page: Page) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://|@import|url\(", text)
    assert not page.all("script") + page.all("link") + page.all("iframe")
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert "default-src 'none'" in text
    for link in page.all("a"):
        assert (out / str(link["href"])).is_file()


def test_is_accessible(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert all(image["alt"] and image["width"] and image["height"] for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) > 10
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))


def test_hostile_names_are_text(page: Page) -> None:
    name = small.AWKWARD.replace("/", "\N{DIVISION SLASH}")
    [image] = [image for image in page.all("img") if "script" in str(image["alt"])]
    assert str(image["alt"]).startswith(name)
    assert name in page.text


def test_a_hostile_label_and_camera_are_text(tmp_path: Path, lake: Lake) -> None:
    label = tmp_path / "<img src=x onerror=alert(1)>"
    label.mkdir()
    (label / "1.jpg").write_bytes(small.with_exif(1, "</table><script>alert(2)</script>", "2020:01:01 00:00:00"))
    assert main(["ingest", "--lake", lake.root, "--quiet", "--labels-from-folders", "t", str(label)]) == 0
    assert main(["extract", "--lake", lake.root, "--quiet"]) == 0
    assert main(["report", "--lake", lake.root, "--out", str(tmp_path / "r")]) == 0
    page = Page((tmp_path / "r/index.html").read_text(encoding="utf-8"))
    assert not page.all("script")
    assert not [image for image in page.all("img") if "onerror" in image]
    assert label.name in page.text


def test_pictures_and_figures_are_there(page: Page, made: Lake) -> None:
    assert len(page.all("img")) == 11
    ids = {str(article["id"]) for article in page.all("article")}
    every = {name for names in SECTIONS.values() for name in names}
    nothing = {*SECTIONS["Where they come from"], *SECTIONS["Downloads"], *SECTIONS["Data sets"]}
    nothing |= {"map", "near_duplicates", "oddest", "clusters"}
    nothing |= {"label_issues", "label_classes", "annotators", "spurious"}
    quality = set(SECTIONS["Quality"])
    assert ids - quality == every - nothing - quality
    assert {"Canon EOS 40D", "truncated", "not_an_image", "cats"} <= set(page.text)
    with Session(made) as session:
        formats = figure(session, "formats")
    assert formats.table.column("images").to_pylist() == [10, 2]
    assert [row[1].share for row in formats.rows] == [100.0, 20.0]


def test_every_figure_is_a_csv(out: Path) -> None:
    names = {name for names in SECTIONS.values() for name in names} | {OVERVIEW}
    assert {path.stem for path in (out / "tables").iterdir()} == names
    with (out / "tables/formats.csv").open(newline="") as file:
        assert [(row["format"], row["images"]) for row in csv.DictReader(file)] == [("JPEG", "10"), ("PNG", "2")]
    assert GRID not in names


def test_an_empty_lake_says_what_to_do(lake: Lake, tmp_path: Path) -> None:
    assert main(["report", "--lake", lake.root, "--out", str(tmp_path / "r")]) == 0
    page = Page((tmp_path / "r/index.html").read_text(encoding="utf-8"))
    assert "No pictures yet" in page.text
    assert f"imagelake ingest --lake {lake.root} photos/" in "".join(page.text)
    assert not page.all("article")


def test_a_lake_without_thumbnails(lake: Lake, tmp_path: Path, make_pictures: Callable[..., Path]) -> None:
    photos = make_pictures(tmp_path / "photos", 3)
    assert main(["ingest", "--lake", lake.root, "--quiet", str(photos)]) == 0
    assert main(["report", "--lake", lake.root, "--out", str(tmp_path / "r")]) == 0
    text = (tmp_path / "r/index.html").read_text(encoding="utf-8")
    assert "There are no thumbnails" in text


def test_wrong_options(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main(["report", "--lake", lake.root]) == 2
    assert main(["report", "--lake", lake.root, "--out", str(tmp_path / "file")]) == 2


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (99_499, "99.5 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (2e16, "20 PB"),
    ],
)
def test_human_bytes(count: float, text: str) -> None:
    assert human_bytes(count) == text
