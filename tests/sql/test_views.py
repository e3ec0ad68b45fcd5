"""Views, report statements and the dictionary over a small real lake."""

import re
import shutil
from pathlib import Path

import pytest

from imagelake.curate.report.figures import GRID, OVERVIEW, SECTIONS
from imagelake.curate.report.gallery import GALLERIES
from imagelake.jobs import extract, ingest
from imagelake.lake.dictionary import dictionary
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session, sql_files
from imagelake.lake.startup import in_order
from tests.conftest import jpeg
from tests.sql import small

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("views"))


def rows(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def test_duplicates_are_files_with_the_same_pixels(made: Lake) -> None:
    found = rows(made, "select images, len(image_ids), spare_bytes > 0 from duplicates")
    assert found == [(2, 2, True)]


def test_image_facts_has_one_row_per_image(made: Lake) -> None:
    assert rows(made, "select count(*), count(distinct image_id) from image_facts") == [(12, 12)]
    canon = rows(
        made, "select model, f_number, orientation, round(gps_lat, 2) from image_facts where model = 'Canon EOS 40D'"
    )
    assert canon == [("Canon EOS 40D", 2.8, 6, 48.13)]
    assert rows(made, "select max(places) from image_facts") == [(3,)]


def test_latest_failures_forgets_what_succeeded_since(tmp_path: Path) -> None:
    made = create_lake(str(tmp_path / "lake"))
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(jpeg(1))
    (folder / "late.jpg").write_text("not yet a picture")
    (folder / "cut.jpg").write_bytes(jpeg(60)[:-80])
    for _ in range(2):  # the second run rejects the same picture again: one item all the same
        ingest.run(ingest.Config((str(folder),), made.root, quiet=True, retry_failed=True), made)
        extract.run(extract.Config(made.root, quiet=True, retry_failed=True), made)
    assert rows(made, "select job, item, reason from latest_failures order by job") == [
        ("extract", f"{folder}/cut.jpg", "truncated"),
        ("ingest", f"{folder}/late.jpg", "not_an_image"),
    ]
    (folder / "late.jpg").write_bytes(jpeg(2))
    ingest.run(ingest.Config((str(folder),), made.root, quiet=True), made)
    assert rows(made, "select job from latest_failures") == [("extract",)]
    assert rows(made, "select count(*) from failures where job = 'ingest'") == [(2,)]


def test_every_report_statement_has_a_place_and_a_header() -> None:
    shown = {name for names in SECTIONS.values() for name in names} | {OVERVIEW, GRID}
    shown |= {f"gallery_{name}" for name in GALLERIES}
    assert shown == set(sql_files("reports"))
    for text in sql_files("reports").values():
        assert re.match(r"-- title: .+\n-- grain: .+\n", text)


@pytest.mark.parametrize("name", sorted(sql_files("reports")))
def test_report_statements_run_on_an_empty_lake(lake: Lake, name: str) -> None:
    with Session(lake) as session:
        session.arrow(sql_files("reports")[name])


def test_report_figures(made: Lake) -> None:
    reports = sql_files("reports")
    assert rows(made, reports["formats"])[0][:2] == ("JPEG", 10)
    kinds = {row[0]: row[1:] for row in rows(made, reports["duplicates_by_kind"])}
    assert kinds["the same bytes in several places"] == (1, 2)
    years = rows(made, reports["capture_dates"])
    assert years == [("2008", 1), ("2009", 0), ("2010", 0), ("2011", 0), ("2012", 1)], "gaps are drawn"
    assert [row[:2] for row in rows(made, reports["cameras"])] == [("Canon EOS 40D", 1), ("Canon EOS 5D", 1)]
    assert rows(made, "select sum(images) from (" + reports["megapixels"] + ")") == [(12,)]
    assert rows(made, "select sum(images) from (" + reports["file_sizes"] + ")") == [(12,)]
    assert {row[0]: row[1] for row in rows(made, reports["shapes"])} == {"landscape": 10, "portrait": 2}, (
        "turned upright"
    )


def test_views_come_after_those_they_name() -> None:
    assert in_order({"a": "select * from b", "b": "from c", "c": "from images"}) == ["c", "b", "a"]


def test_the_dictionary_is_up_to_date() -> None:
    written = (ROOT / "docs/data-dictionary.md").read_text(encoding="utf-8")
    assert written == dictionary(), "run `python -m imagelake.lake.dictionary > docs/data-dictionary.md`"


def test_sql_is_one_statement_per_file() -> None:
    import duckdb

    for folder in ("views", "checks", "reports"):
        for name, text in sql_files(folder).items():
            assert len(duckdb.extract_statements(text)) == 1, name
            assert text.startswith("-- "), name


def test_a_lake_may_be_copied(made: Lake, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "copy")
    assert rows(Lake(str(tmp_path / "copy")), "select count(*) from images") == [(12,)]
