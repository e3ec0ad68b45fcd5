"""Views, checks and reports of harvests and downloads, over rows written for the purpose."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from imagelake.lake.checks import run_checks
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.runs import RunReport, start_run
from imagelake.lake.session import Session, sql_files
from imagelake.lake.tables import table_def, to_table

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
REPORTS = sql_files("reports")
HARVEST_CHECKS = (
    *("fetches_without_image", "fetches_without_run", "fetches_of_missing_attempts"),
    *("record_labels_without_record", "web_resources_without_record"),
)


def image_id(i: int) -> str:
    return f"{i:064x}"


def url(i: int, host: str = "a.example") -> str:
    return f"https://{host}/{i}.jpg"


def write(lake: Lake, table: str, rows: Iterable[dict[str, object]], run_id: str = "run") -> None:
    definition = table_def(table)
    committer = Committer(lake, run_id, lake.ensure_tables([table]))
    with duckdb.connect() as con:
        committer.add(write_fragment(lake.storage, definition, to_table(definition, rows), run_id, con))
    committer.flush()


def fetch(i: int, outcome: str = "stored", **values: object) -> dict[str, object]:
    row: dict[str, object] = {
        "url": url(i),
        "run_id": "run",
        "attempt": 1,
        "media_url": url(i),
        "host": "a.example",
        "outcome": outcome,
        "reason": None if outcome in ("stored", "not_modified") else "http_503",
        "message": "busy",
        "http_status": 200,
        "redirects": 0,
        "bytes": 1000,
        "first_byte_ms": 5.0,
        "elapsed_ms": 10.0,
        "image_id": image_id(i) if outcome == "stored" else None,
        "fetched_at": NOON + timedelta(minutes=i),
    }
    return {**row, **values}


def record(i: int, **values: object) -> dict[str, object]:
    row = {"provider": "urls", "source_id": str(i), "media_url": url(i), "raw": "{}", "dataset": "list"}
    return {**row, "harvested_at": NOON, "run_id": "run", **values}


def image(i: int) -> dict[str, object]:
    row: dict[str, object] = {"image_id": image_id(i), "run_id": "run", "ingested_at": NOON}
    size = {"length_bytes": 1000, "width_px": 4, "height_px": 3, "frames": 1, "has_alpha": False}
    return {**row, **size, "format": "JPEG", "mode": "RGB", "uri": "blobs/x", "offset_bytes": i * 1000}


def sighting(i: int, origin: str) -> dict[str, object]:
    row = {"image_id": image_id(i), "origin": origin, "uri": origin, "size_bytes": 1000, "run_id": "run"}
    return {**row, "modified_at": NOON, "seen_at": NOON}


def rows(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def failing(lake: Lake) -> dict[str, int]:
    return {f.name: f.count for f in run_checks(lake) if not f.passed and f.name in HARVEST_CHECKS}


@dataclass(frozen=True)
class _Config:
    lake: str = ""


@pytest.fixture
def made(tmp_path: Path) -> Lake:
    """A lake with one run that succeeded, six records and six pictures."""
    lake = create_lake(str(tmp_path / "lake"))
    tables = lake.ensure_tables(["images", "sightings"])
    with start_run(lake, RunReport("run", "download"), _Config(), tables, main_table="sightings"):
        pass
    write(lake, "records", [record(i) for i in range(6)])
    write(lake, "images", [image(i) for i in range(6)])
    return lake


def test_the_pictures_of_a_record_were_found_or_fetched(made: Lake) -> None:
    write(made, "records", [record(10, media_url=url(1)), record(11, media_url=None)])
    write(made, "sightings", [sighting(0, url(0)), sighting(1, url(1)), sighting(5, "photos/5.jpg")])
    thumbnail = fetch(2, url="https://thumbs.example/2")
    changed = fetch(3, image_id=image_id(4), run_id="later")
    write(made, "fetches", [fetch(1), thumbnail, fetch(3), changed, fetch(4, "failed")])
    assert rows(made, "from record_images order by all") == [
        ("urls", "0", image_id(0)),
        ("urls", "1", image_id(1)),
        ("urls", "10", image_id(1)),
        ("urls", "2", image_id(2)),
        ("urls", "3", image_id(3)),
        ("urls", "3", image_id(4)),
    ]


def test_the_latest_fetch_is_the_newest_attempt(made: Lake) -> None:
    attempts = [fetch(1, "retried", attempt=n, fetched_at=NOON) for n in (1, 2)]
    last = fetch(1, attempt=3, fetched_at=NOON)
    refreshed = fetch(1, "not_modified", run_id="later", fetched_at=NOON + timedelta(days=1))
    write(made, "fetches", [*attempts, last, fetch(2, "failed")])
    latest = "select url, run_id, attempt, outcome from latest_fetches order by url"
    assert rows(made, latest) == [(url(1), "run", 3, "stored"), (url(2), "run", 1, "failed")]
    write(made, "fetches", [refreshed], "later")
    assert rows(made, latest)[0] == (url(1), "later", 1, "not_modified")


@pytest.mark.parametrize(("outcome", "days", "left"), [("stored", 1, 0), ("not_modified", 1, 0), ("stored", -1, 1)])
def test_a_failed_download_is_forgotten_when_it_succeeds(made: Lake, outcome: str, days: int, left: int) -> None:
    about = {"run_id": "run", "job": "download", "item": url(1), "stage": "fetch", "reason": "http_404"}
    write(made, "failures", [{**about, "message": "gone", "version": 0, "failed_at": NOON}])
    write(made, "fetches", [fetch(1, "failed", fetched_at=NOON)])
    assert rows(made, "select item from latest_failures") == [(url(1),)]
    write(made, "fetches", [fetch(1, outcome, run_id="later", fetched_at=NOON + timedelta(days=days))], "later")
    assert rows(made, "select count(*) from latest_failures") == [(left,)]


def test_sound_rows_pass_every_check(made: Lake) -> None:
    two = [fetch(1, "retried", attempt=1), fetch(1, attempt=2)]
    write(made, "fetches", [*two, fetch(2, "failed"), fetch(3, "not_modified"), fetch(4, "not_modified")])
    write(made, "record_labels", [label(1)])
    write(made, "web_resources", [resource(1)])
    assert failing(made) == {}


def label(i: int) -> dict[str, object]:
    row = {"provider": "urls", "source_id": str(i), "task": "t", "label": "l"}
    return {**row, "harvested_at": NOON, "run_id": "run"}


def resource(i: int) -> dict[str, object]:
    row: dict[str, object] = {"provider": "urls", "source_id": str(i), "url": url(i), "position": 0}
    return {**row, "is_shown_by": True, "harvested_at": NOON, "run_id": "run"}


@pytest.mark.parametrize(
    ("table", "row", "check"),
    [
        ("fetches", fetch(1, image_id=image_id(99)), "fetches_without_image"),
        ("fetches", fetch(1, "not_modified", image_id=image_id(99)), "fetches_without_image"),
        ("fetches", fetch(1, image_id=None), "fetches_without_image"),
        ("fetches", fetch(1, run_id="nobody"), "fetches_without_run"),
        ("fetches", fetch(1, attempt=2), "fetches_of_missing_attempts"),
        ("fetches", fetch(1, "retried"), "fetches_of_missing_attempts"),
        ("record_labels", label(99), "record_labels_without_record"),
        ("record_labels", {**label(1), "provider": "flickr"}, "record_labels_without_record"),
        ("web_resources", resource(99), "web_resources_without_record"),
    ],
)
def test_checks_find_what_is_planted(made: Lake, table: str, row: dict[str, object], check: str) -> None:
    write(made, table, [row])
    assert failing(made) == {check: 1}


def test_downloads_by_host(made: Lake) -> None:
    tries = [fetch(i, elapsed_ms=float(i), fetched_at=NOON + timedelta(hours=i % 2)) for i in range(1, 101)]
    other = {"host": "b.example:8080", "http_status": None, "first_byte_ms": None, "bytes": 0}
    lost = [
        fetch(201, "retried", **other, reason="timeout"),
        fetch(201, "retried", **other, reason="timeout", attempt=2),
        fetch(201, "failed", **other, reason="dns", attempt=3, message="no such host"),
        fetch(202, "failed", **other, reason="dns", message="no such host"),
    ]
    write(made, "fetches", [*tries, *lost])
    assert rows(made, REPORTS["fetches_by_host"]) == [
        ("a.example", 100, 100.0, 100, 0, 100_000, 50.5, 95.1, 99.0),
        ("b.example:8080", 2, 0.0, 4, 2, 0, None, None, None),
    ]
    assert rows(made, REPORTS["fetches_by_reason"]) == [
        ("dns", 2, 2, 1, "no such host", url(201)),
        ("timeout", 2, 0, 1, "busy", url(201)),
    ]
    hours = rows(made, REPORTS["fetch_latency"])
    assert hours[-1][:6] == ("2026-03-04 12:00", 50, 50, 0.1, 5.0, 51.0)
    assert [hour[1] for hour in hours] == [4, 50, 50]
    assert hours[0][4:] == (None, None, None, None)


def test_harvests(made: Lake) -> None:
    def page(query: str, number: int, cursor: str | None, total: int, run_id: str = "run") -> dict[str, object]:
        row = {"provider": "europeana", "query": query, "run_id": run_id, "page": number, "next_cursor": cursor}
        more = {"total": total, "items": 10, "new_records": 7, "harvested_at": NOON + timedelta(hours=number)}
        return {**row, **more}

    harvests = f"select * exclude (last_at) from ({REPORTS['harvests']})"
    pages = [page("one", 1, "x", 25), page("one", 2, "y", 26), page("two", 1, None, 10)]
    write(made, "harvest_pages", [*pages, page("one", 3, None, 27, "later")])
    write(made, "records", [record(20, provider="europeana", query="one"), record(21, query="/lists/a.csv")])
    assert rows(made, harvests) == [
        ("europeana", "one", 21, 3, 27, "yes"),
        ("europeana", "two", 7, 1, 10, "yes"),
        ("urls", "/lists/a.csv", 1, None, None, None),
        ("urls", "list", 6, None, None, None),
    ]
    write(made, "harvest_pages", [page("one", 4, "z", 27, "last")])
    assert rows(made, harvests)[0][5] == "no"


def test_records_by_licence_and_institution(made: Lake) -> None:
    free = {"licence": "CC0-1.0", "reusability": "open", "institution": "Museum", "country": "Italy"}
    write(made, "records", [record(30 + i, **free) for i in range(2)])
    write(made, "fetches", [fetch(1), fetch(1, run_id="later", image_id=image_id(2)), fetch(30)])
    assert rows(made, REPORTS["records_by_licence"]) == [("unknown", None, 6, 1), ("CC0-1.0", "open", 2, 1)]
    assert rows(made, REPORTS["records_by_institution"]) == [
        ("urls", "none given", None, 6, 0, 1),
        ("urls", "Museum", "Italy", 2, 2, 1),
    ]


@pytest.mark.parametrize("name", ["fetches_by_host", "fetches_by_reason", "fetch_latency", "harvests"])
def test_reports_of_an_empty_lake_are_empty(lake: Lake, name: str) -> None:
    assert rows(lake, f"select count(*) from ({REPORTS[name]})") == [(0,)]
