"""Galleries of imagelake report: every group is there once, in order, on pages that hang together and leave nothing."""

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from imagelake.cli import main
from imagelake.curate.report.figures import figure
from imagelake.curate.report.gallery import PER_PAGE
from imagelake.errors import StorageError
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.conftest import jpeg
from tests.jobs.test_report import Page
from tests.sql.rows import NOW, image_id, put, put_images

GROUPS = 230
HOSTILE = "<script>alert(1)</script>&\"'"
MODEL = "descriptor:x"


def group_rows(sizes: list[int]) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of pictures and rows of groups of these sizes; picture 0 of a group is the keeper."""
    names, rows = [], []
    for g, size in enumerate(sizes):
        for n in range(size):
            names.append(f"{g}-{n}")
            found = {"role": "keeper"} if n == 0 else {"role": "member", "via": "phash", "distance": float(n)}
            rows.append(
                {"relation": "duplicates", "image_id": image_id(f"{g}-{n}"), "group_id": image_id(f"{g}-0"),
                 "size": size, **found}
            )  # fmt: skip
    return names, rows


def put_thumbnails(lake: Lake, ids: list[str]) -> None:
    picture = jpeg(1, 64, 48)
    put(lake, "thumbnails", [{"image_id": i, "jpeg": picture, "width_px": 64, "height_px": 48} for i in ids])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """230 groups of two to four, and one of each of what the other galleries show."""
    lake = create_lake(str(tmp_path_factory.mktemp("galleries") / "lake"))
    names, groups = group_rows([2 + g % 3 for g in range(GROUPS)])
    ids = put_images(lake, [*names, HOSTILE])
    put(lake, "groups", groups)
    put_thumbnails(lake, [i for i in ids if i != image_id("0-0")])
    near = [
        {"model_id": MODEL, "image_id": ids[n], "rank": 1, "other_id": ids[n - 1], "similarity": n / 200}
        for n in range(200)
    ]
    put(lake, "neighbours", near)
    put(
        lake,
        "quality",
        [
            {"image_id": i, "method": "imagelake", "score": n % 101, "blur": 0.25, "verdict": "pending"}
            for n, i in enumerate(ids)
        ],
    )
    put(
        lake,
        "label_issues",
        [
            {"task": "t", "model_id": "probe", "image_id": image_id(HOSTILE), "given_labels": [HOSTILE],
             "suggested_labels": ["dog"], "label_quality": 0.1, "is_issue": True},
            {"task": "t", "model_id": "probe", "image_id": ids[0], "given_labels": ["dog"],
             "suggested_labels": ["dog"], "label_quality": 0.9, "is_issue": False},
        ],
    )  # fmt: skip
    put(
        lake,
        "projections",
        [
            {"model_id": MODEL, "image_id": i, "method": "pca", "x": n / len(ids), "y": -1 + n / len(ids)}
            for n, i in enumerate(ids)
        ],
    )
    put(
        lake,
        "labels",
        [
            {"image_id": i, "task": "t", "label": f"class {n % 12}" if n % 12 else HOSTILE, "annotator": "a",
             "source": "import"}
            for n, i in enumerate(ids[:600])
        ],
    )  # fmt: skip
    put(
        lake,
        "datasets",
        [
            {"dataset": "d", "dataset_version": v, "task": "t", "statement": "", "parameters": {}, "table_versions": {},
             "splits": {"train": 0.8, "test": 0.2}, "group_by": ["owner"], "seed": 1, "classes": ["x"], "images": 3,
             "created_at": NOW}
            for v in (1, 2)
        ],
    )  # fmt: skip
    put(
        lake,
        "dataset_images",
        [
            {"dataset": "d", "dataset_version": v, "image_id": image_id(name), "labels": ["x"], "split": split,
             "group_id": image_id(name)}
            for v, name, split in ((1, "0-0", "train"), (2, "0-0", "train"), (2, "0-1", "test"), (2, "1-0", "train"))
        ],
    )  # fmt: skip
    return lake


def report(lake: Lake, folder: Path, *options: str) -> Path:
    assert main(["report", "--lake", lake.root, "--out", str(folder), *options]) == 0
    return folder


@pytest.fixture(scope="module")
def out(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(made, tmp_path_factory.mktemp("out") / "report")


def pages_of(folder: Path, name: str) -> list[Page]:
    paths = sorted((folder / "galleries").glob(f"{name}-*.html"))
    return [Page(path.read_text(encoding="utf-8")) for path in paths]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_group_is_there_once_and_the_largest_come_first(out: Path) -> None:
    pages = pages_of(out, "duplicates")
    assert len(pages) == 3
    entries = [str(section["id"]) for page in pages for section in page.all("section")]
    assert entries == [f"g{n}" for n in range(1, GROUPS + 1)]
    assert [len(page.all("section")) for page in pages] == [PER_PAGE, PER_PAGE, 30]
    sizes = [int(m) for page in pages for text in page.text for m in re.findall(r"^ (\d) pictures$", text)]
    assert sizes == sorted((2 + g % 3 for g in range(GROUPS)), reverse=True)


def test_the_keeper_is_first_then_the_nearest(out: Path) -> None:
    text = (out / "galleries/duplicates-0001.html").read_text(encoding="utf-8")
    for section in re.findall(r"<section.*?</section>", text, re.DOTALL):
        notes = re.findall(r"<figcaption><b>(.*?)</b>", section)
        assert notes == ["to keep", *(f"phash, {n} of 64 bits" for n in range(1, len(notes)))]
        names = re.findall(r"photos/(\d+)-(\d)\.jpg", section)
        assert len({group for group, _ in names}) == 1
        assert '<li class="first">' in section
        assert section.count('class="first"') == 1


def test_pictures_are_files_beside_the_pages(out: Path, made: Lake) -> None:
    shown = set()
    for path in sorted((out / "galleries").iterdir()):
        page = Page(path.read_text(encoding="utf-8"))
        for image in page.all("img"):
            assert (path.parent / str(image["src"])).read_bytes() == jpeg(1, 64, 48)
            assert image["loading"] == "lazy"
            assert (image["width"], image["height"]) == ("64", "48")
            assert image["alt"]
            shown.add(Path(str(image["src"])).stem)
        assert "data:" not in path.read_text(encoding="utf-8")
        assert not page.all("script")
        policy = str(page.all("meta")[2]["content"])
        assert policy == "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"
    assert {f"thumbnails/{i[:2]}/{i}.jpg" for i in shown} == {p for p in files(out) if p.startswith("thumbnails/")}


def test_a_picture_without_a_thumbnail_has_a_box(out: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (out / "galleries").glob("duplicates-*"))
    assert text.count("no thumbnail") == 1


def test_links_lead_somewhere_and_through_all_pages(out: Path) -> None:
    for path in (out / "galleries").iterdir():
        page = Page(path.read_text(encoding="utf-8"))
        ids = {attributes.get("id") for _, attributes in page.tags}
        for link in page.all("a"):
            target, _, anchor = str(link["href"]).partition("#")
            assert (path.parent / unquote(target)).is_file() if target else anchor in ids
    at, seen = "duplicates-0001.html", []
    while at:
        seen.append(at)
        page = Page((out / "galleries" / at).read_text(encoding="utf-8"))
        at = next((str(link["href"]) for link in page.all("a") if link.get("rel") == "next"), "")
    assert seen == [f"duplicates-000{n}.html" for n in (1, 2, 3)]
    index = Page((out / "index.html").read_text(encoding="utf-8"))
    targets = {str(link["href"]) for link in index.all("a")}
    assert {f"galleries/{name}-0001.html" for name in ("duplicates", "outliers", "label_issues", "worst")} <= targets


def test_hostile_text_is_text(out: Path) -> None:
    [page] = pages_of(out, "label_issues")
    assert f"{HOSTILE} → dog?" in page.text
    assert HOSTILE.rpartition("/")[2] + ".jpg" in page.text
    assert len(page.all("img")) == 1, "what is no issue is left out"
    assert not page.all("script")


def test_outliers_have_their_nearest_beside_them(out: Path) -> None:
    [page] = pages_of(out, "outliers")
    assert len(page.all("section")) == 10, "a 20th of 200"
    assert len(page.all("figure")) == 20
    assert "its nearest, 0.0" in page.text


def test_worst_and_best(out: Path) -> None:
    def scores(name: str) -> list[float]:
        return [float(m) for p in pages_of(out, name) for t in p.text for m in re.findall(r"^score ([\d.]+),", t)]

    assert scores("worst") == sorted(scores("worst"))
    assert scores("best") == sorted(scores("best"), reverse=True)
    assert len(scores("worst")) == len(scores("best")) == 500


def test_a_second_report_leaves_no_stale_page(made: Lake, tmp_path: Path) -> None:
    folder = report(made, tmp_path / "r")
    first = files(folder)
    mine = {"galleries/mine.html", "thumbnails/mine.jpg", "thumbnails/ab/mine.jpg"}
    for name in mine:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not of the report")
    report(made, folder, "--gallery-groups", "150")
    second = files(folder)
    assert "galleries/duplicates-0002.html" in second
    assert "galleries/duplicates-0003.html" not in second
    assert second - mine < first
    assert sum(name.startswith("thumbnails/") for name in second) < sum(n.startswith("thumbnails/") for n in first)
    report(made, folder, "--gallery-groups", "0")
    assert {n for n in files(folder) if n.startswith(("galleries", "thumbnails"))} == mine
    assert "Galleries" not in Page((folder / "index.html").read_text(encoding="utf-8")).text


def test_without_galleries_there_are_no_folders(made: Lake, tmp_path: Path) -> None:
    folder = report(made, tmp_path / "r")
    report(made, folder, "--gallery-groups", "0")
    assert {path.name for path in folder.iterdir()} == {"index.html", "tables"}


def test_a_large_group_shows_some(lake: Lake, tmp_path: Path) -> None:
    names, groups = group_rows([70])
    put_thumbnails(lake, put_images(lake, names))
    put(lake, "groups", groups)
    [page] = pages_of(report(lake, tmp_path / "r"), "duplicates")
    assert len(page.all("figure")) == 50
    assert " 70 pictures, 50 of them shown" in page.text


def test_a_picture_that_has_left_the_lake(lake: Lake, tmp_path: Path) -> None:
    names, groups = group_rows([2])
    put_images(lake, names[:1])
    put(lake, "groups", groups)
    [page] = pages_of(report(lake, tmp_path / "r"), "duplicates")
    assert "not in the lake" in page.text


def test_wrong_options(made: Lake, tmp_path: Path) -> None:
    assert main(["report", "--lake", made.root, "--out", str(tmp_path), "--gallery-groups", "-1"]) == 2
    (tmp_path / "galleries").write_text("in the way")
    assert main(["report", "--lake", made.root, "--out", str(tmp_path)]) == StorageError.exit_code


def test_the_map(out: Path, made: Lake) -> None:
    with Session(made) as session:
        drawn = figure(session, "map")
    dots = drawn.dots
    assert sum(each.count for each in dots) == drawn.table.num_rows > 600
    assert [each.kind for each in dots][-1] == "others"
    assert (len(dots), dots[-1].colour) == (10, 0)
    colours = [each.colour for each in dots if each.colour]
    assert colours == list(range(1, len(colours) + 1))
    assert sum(each.path.count("M") for each in dots) == drawn.table.num_rows
    numbers = [int(n) for each in dots for n in re.findall(r"\d+", each.path.replace("h0", ""))]
    assert all(0 <= n <= 1000 for n in numbers)
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    assert HOSTILE in "".join(page.text)
    assert len([path for path in page.all("path") if str(path["class"]).startswith("k")]) == 10


def test_figures_of_curation(out: Path) -> None:
    def table(name: str) -> list[dict[str, str]]:
        with (out / f"tables/{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    assert sum(int(row["images"]) for row in table("quality_scores")) == 690
    assert table("quality_scores")[0]["score"] == "0 to 10"
    assert [row["verdict"] for row in table("quality_verdicts")] == ["pending"]
    assert [(row["detector"], row["median"]) for row in table("quality_damages")] == [("blur", "0.25")]
    assert [(r["via"], r["groups"]) for r in table("near_duplicates")] == [("phash", str(GROUPS))]
    assert len(table("oddest")) == 20
    assert [(r["task"], r["images"], r["issues"]) for r in table("label_issues")] == [("t", "2", "1")]
    assert [(r["version"], r["splits"]) for r in table("datasets")] == [
        ("2", "train 0.8, test 0.2"),
        ("1", "train 0.8, test 0.2"),
    ]
    assert [(r["split"], r["images"]) for r in table("dataset_classes")] == [("test", "1"), ("train", "2")]
    assert {(r["reason"], r["images"], r["splits"]) for r in table("leaks")} == {("same group", "2", "test, train")}
