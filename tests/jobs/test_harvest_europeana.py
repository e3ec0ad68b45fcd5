"""Harvests of Europeana against its test server: every page, every fault, every stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagelake.command import run_job
from imagelake.errors import ApiError, UsageError
from imagelake.jobs import harvest_europeana as job
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.jobs.europeana import KEY, ask, everything, ids
from tests.jobs.same import contents
from tests.servers.europeana import EuropeanaServer
from tests.servers.faults import Fault, Faults
from tests.servers.messages import Seen

SEARCH = "/record/v2/search.json"


@pytest.fixture
def server() -> Iterator[EuropeanaServer]:
    with EuropeanaServer(records=730, key=KEY) as running:
        yield running


def test_every_page_once(lake: Lake, server: EuropeanaServer) -> None:
    report = ask(lake, server, "*")
    assert (report.read, report.written, report.rejected) == (730, 730, 0)
    assert sorted(ids(lake)) == sorted(server.collection.ids)
    asked = server.requests(SEARCH)
    assert len(asked) == 8  # one request for each page
    assert all(seen.get("sort") == "europeana_id" and seen.get("rows") == "100" for seen in asked)
    with Session(lake) as session:
        pages = session.arrow("from harvest_pages order by page").to_pylist()
    assert [page["page"] for page in pages] == list(range(1, 9))
    assert [page["items"] for page in pages] == [page["new_records"] for page in pages] == [100] * 7 + [30]
    assert [page["cursor"] for page in pages] == [None, *(page["next_cursor"] for page in pages[:-1])]
    assert [seen.get("cursor") for seen in asked] == ["*", *(page["next_cursor"] for page in pages[:-1])]
    assert pages[-1]["next_cursor"] is None
    assert {page["total"] for page in pages} == {730}
    again = ask(lake, server, "*")
    assert (again.read, again.written, again.already_present) == (730, 0, 730)


def test_only_pictures_that_can_be_fetched_by_default(lake: Lake, server: EuropeanaServer) -> None:
    report = ask(
        lake, server, "*", media=True, images_only=True, reusability="open", qf=("COUNTRY:France",), theme="fashion"
    )
    assert report.written == len(ids(lake, "media_url is not null and reusability = 'open' and country = 'France'")) > 0
    first = server.log[0]
    assert first.query["qf"] == ["TYPE:IMAGE", "COUNTRY:France"]
    assert (first.get("media"), first.get("reusability"), first.get("theme")) == ("true", "open", "fashion")


FAULTS = (
    Fault("status", status=429, retry_after_s=1, at={3}),
    Fault("status", status=429, at={5}),
    Fault("status", status=500, at={7}),
    Fault("status", status=503, at={9}),
    Fault("cut_body", at={11}),
    Fault("html", at={13}),
    Fault("reset_body", at={15}),
    Fault("no_reply", at={17}),
    Fault("empty", at={19}),
)


def test_a_hostile_server(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"duplicates": 30, "changing_totals": True, "missing_fields": 0.2, "trailing_page": True}
    with EuropeanaServer(records=700, key=KEY, faults=Faults(*FAULTS), bad_every=90, **options) as server:
        report = ask(lake, server, "*", quiet=False)
        assert not server.faults.unserved()
        assert not server.too_early("host")
        without_id = {
            server.collection.ids[n] for i, n in enumerate(_in_order(server)) if i % 90 == 0 and i // 90 % 3 < 2
        }
    assert set(ids(lake)) == set(server.collection.ids) - without_id
    assert report.written == len(ids(lake)) == 700 - len(without_id)
    assert report.already_present > 30
    with Session(lake) as session:
        found = session.execute("select reason, count(*), count(distinct item) from failures group by all").fetchall()
        totals = session.execute("select count(distinct total) from harvest_pages").fetchall()[0][0]
    assert found == [("no_id", report.rejected, report.rejected)]
    assert totals > 1
    assert KEY not in everything(lake)
    assert KEY not in str(report) + "".join(capfd.readouterr())


def _in_order(server: EuropeanaServer) -> list[int]:
    return sorted(range(server.collection.count), key=server.collection.ids.__getitem__)


def test_never_faster_than_allowed(lake: Lake, server: EuropeanaServer) -> None:
    began = time.monotonic()
    ask(lake, server, "COUNTRY:France", "COUNTRY:Germany", "COUNTRY:Greece", "COUNTRY:Bulgaria", rows=30, rate=20.0)
    requests = len(server.log)
    assert requests > 10
    assert time.monotonic() - began > (requests - 1) / 20
    assert server.max_rate(window_s=0.5) <= 11
    gaps = [b.at - a.at for a, b in zip(server.log, server.log[1:], strict=False)]
    assert min(gaps) > 0.02


def _killed_harvest(lake: Lake, server: EuropeanaServer, after: int) -> str:
    """Start the job as a program that commits often, kill it once the server was asked for some pages."""
    program = (
        "import sys; from imagelake.lake import commits; from imagelake.sources import harvesting;"
        "commits.FLUSH_SECONDS = harvesting.SECONDS = 0.2;"
        "from imagelake.command import run_job; from imagelake.jobs import harvest_europeana as job;"
        "sys.exit(run_job(job, sys.argv[1:], 'harvest'))"
    )
    options = ["--lake", lake.root, "--api-url", server.url, "--rate", "80", "--no-media", "--no-images-only"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *options, "--query", "*"],
        env={**os.environ, "EUROPEANA_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while process.poll() is None and len(server.log) < after:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def test_killed_in_the_middle(lake: Lake, tmp_path: Path) -> None:
    with EuropeanaServer(records=10_000, key=KEY) as server:
        whole = create_lake(str(tmp_path / "whole"))
        ask(whole, server, "*")
        before = len(server.log)
        assert before == 100
        output = _killed_harvest(lake, server, before + 60)
        asked = len(server.log)
        with Session(lake) as session:
            pages, cursor = session.execute("select count(*), max_by(next_cursor, page) from harvest_pages").fetchall()[
                0
            ]
        assert 10 < pages < 65, output
        report = ask(lake, server, "*")
        second = server.log[asked:]
    assert second[0].get("cursor") == cursor
    assert len(second) == 100 - pages  # only what is behind the committed place
    assert report.read == 100 * (100 - pages)
    assert KEY not in everything(lake) + output
    tables = ("records", "failures", "record_labels")
    leave_out = frozenset({"harvested_at"})
    assert contents(lake, tables, leave_out) == contents(whole, tables, leave_out)
    assert len(ids(lake)) == len(set(ids(lake))) == 10_000


def test_a_place_that_has_expired(lake: Lake, server: EuropeanaServer) -> None:
    ask(lake, server, "*", limit=150, rows=50)
    server.faults = Faults(Fault("refusal", code=400, path=r"cursor=(?!%2A)", times=1))
    report = ask(lake, server, "*")
    assert sorted(ids(lake)) == sorted(server.collection.ids)
    assert (report.written, report.already_present) == (580, 150)
    assert report.details["queries begun again because their place had expired"] == 1
    server.faults = Faults(Fault("refusal", code=400, path=r"cursor=(?!%2A)"))
    with pytest.raises(ApiError, match=r"Bad request.*the query is"):
        ask(lake, server, "*", restart=True)


def test_restart_begins_at_the_first_page(lake: Lake, server: EuropeanaServer) -> None:
    ask(lake, server, "*", limit=250)
    before = len(server.log)
    assert server.log[before - 1].get("cursor") != "*"
    report = ask(lake, server, "*", restart=True)
    assert server.log[before].get("cursor") == "*"
    assert (report.written, report.already_present) == (480, 250)


def test_facets_are_counted_instead(lake: Lake, server: EuropeanaServer) -> None:
    report = ask(lake, server, "*", facet=("COUNTRY", "TYPE"))
    assert report.read == 0
    assert sum(report.details["COUNTRY"].values()) == sum(report.details["TYPE"].values()) == 730  # type: ignore[attr-defined]
    assert report.details["TYPE"]["IMAGE"] > report.details["TYPE"]["TEXT"]  # type: ignore[index]
    assert not ids(lake)


def test_a_refused_key(lake: Lake, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EUROPEANA_API_KEY", "wr0ngK3y")
    for status in (400, 401):
        with EuropeanaServer(records=5, key=KEY, key_status=status) as server:
            code = run_job(job, ["--lake", lake.root, "--query", "*", "--api-url", server.url, "--quiet"], "harvest")
        output = capfd.readouterr()
        assert code == 11
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert "Invalid API key" in output.err
        assert "wr0ngK3y" not in output.err + everything(lake)
    monkeypatch.delenv("EUROPEANA_API_KEY")
    assert run_job(job, ["--lake", lake.root, "--query", "*"], "harvest") == 2
    assert "EUROPEANA_API_KEY" in capfd.readouterr().err


def test_what_came_before_an_error_is_kept(lake: Lake, server: EuropeanaServer) -> None:
    def is_late(seen: Seen) -> bool:
        return len(server.log) > 4

    server.faults = Faults(Fault("status", status=500, when=is_late))
    with pytest.raises(ApiError, match="500"):
        ask(lake, server, "*")
    assert len(ids(lake)) == 400
    server.faults = Faults()
    assert ask(lake, server, "*").written == 330


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what to harvest"),
        ({"queries": "q.json", "label": "a"}, "--task"),
        ({"datasets": "d.csv"}, "--task"),
        ({"queries": "q.json", "task": "t"}, "--label"),
        ({"queries": "q.json", "balanced_negatives": "b"}, "--label"),
        ({"queries": "q.json", "task": "t", "label": "b", "balanced_negatives": "b"}, "another"),
        ({"queries": "q.json", "rows": 101}, "--rows"),
        ({"queries": "q.json", "limit": 0}, "--limit"),
        ({"queries": "q.json", "per_dataset": -1}, "--per-dataset"),
    ],
)
def test_options_that_do_not_go_together(lake: Lake, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        job.run(job.Config(lake=lake.root, **options), lake)
