"""Europeana's data sets and single records against the test server."""

import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagelake.command import run_job
from imagelake.errors import ApiError, UsageError
from imagelake.fetch.api import JsonApi
from imagelake.jobs import harvest_europeana as search_job
from imagelake.jobs import harvest_europeana_collections as collections_job
from imagelake.jobs import harvest_europeana_records as job
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from imagelake.sources.europeana import data_sets, service
from tests.jobs.europeana import KEY, everything
from tests.servers.europeana import EuropeanaServer
from tests.servers.faults import Fault, Faults

OPTIONS: dict[str, Any] = {"rate": 2000.0, "quiet": True}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EuropeanaServer]:
    monkeypatch.setenv("EUROPEANA_API_KEY", KEY)
    monkeypatch.setattr(service, "JsonApi", partial(JsonApi, base_wait_s=0.005, deadline_s=5.0))
    with EuropeanaServer(records=240, key=KEY) as running:
        yield running


def rows(lake: Lake, sql: str) -> list[Any]:
    with Session(lake) as session:
        return session.arrow(sql).to_pylist()


def collections(lake: Lake, server: EuropeanaServer, **options: Any) -> RunReport:
    config = collections_job.Config(lake=lake.root, api_url=server.url, **{**OPTIONS, **options})
    return collections_job.run(config, lake)


def records(lake: Lake, server: EuropeanaServer, file: object = None, **options: Any) -> RunReport:
    name = None if file is None else str(file)
    return job.run(job.Config(file=name, lake=lake.root, api_url=server.url, **{**OPTIONS, **options}), lake)


def test_every_data_set_with_its_own_institution(
    lake: Lake, server: EuropeanaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "_FACET_LIMIT", 7)  # 20 data sets are three pages of a facet
    late = Fault("late", delay_s=0.05, path="rows=1&", share=0.4)  # answers overtake each other
    server.faults = Faults(late, Fault("status", status=503, path="rows=1&", every=6))
    report = collections(lake, server)
    assert not server.faults.unserved()
    found = rows(lake, "select dataset, records, aggregator, institution from collections")
    known = {dataset.name: dataset for dataset in server.collection.datasets}
    images = [n for n in range(240) if server.collection.types[n] == 0]
    counts = {name: sum(server.collection.dataset[n] == k for n in images) for k, name in enumerate(known)}
    counts = {name: count for name, count in counts.items() if count}
    assert {row["dataset"]: row["records"] for row in found} == counts
    assert all(row["institution"] == known[row["dataset"]].institution for row in found)
    assert all(row["aggregator"] == known[row["dataset"]].provider for row in found)
    assert (report.read, report.written) == (len(counts), len(counts))
    assert report.details == {"datasets": len(counts), "records": len(images)}
    assert KEY not in everything(lake)
    large = collections(lake, server, min_size=15)
    assert large.read == sum(count >= 15 for count in counts.values()) < len(counts)
    assert collections(lake, server, query="COUNTRY:France").read == 4


def test_a_data_set_that_cannot_be_asked_for(lake: Lake, server: EuropeanaServer) -> None:
    server.faults = Faults(Fault("refusal", code=400, path="rows=1&", at={3}))
    report = collections(lake, server)
    assert (report.written, report.rejected) == (report.read - 1, 1)
    assert rows(lake, "select reason, item like 'europeana:data set %' as named from failures") == [
        {"reason": "refused", "named": True}
    ]


def test_files_of_all_records_of_the_lake(lake: Lake, server: EuropeanaServer) -> None:
    search_job.run(search_job.Config(query=("*",), lake=lake.root, api_url=server.url, **OPTIONS), lake)
    before = rows(lake, "from records")
    server.faults = Faults(Fault("status", status=500, every=20), Fault("cut_body", every=33))
    report = records(lake, server, from_lake=True)
    assert not server.faults.unserved()
    assert (report.read, report.written, report.rejected) == (len(before), len(before), 0)
    assert rows(lake, "from records") == before  # they were known
    found = rows(lake, "from web_resources order by source_id, position")
    assert {row["source_id"] for row in found} == {row["source_id"] for row in before}
    shown = {row["source_id"]: row["url"] for row in found if row["is_shown_by"]}
    assert shown == {row["source_id"]: row["media_url"] for row in before}
    n = next(n for n in range(0, 240, 5) if server.collection.ids[n] in shown)
    mine = [row for row in found if row["source_id"] == server.collection.ids[n]]
    image = server.collection.image_url(n)
    assert [row["url"] for row in mine] == [image, f"{image}?view=2", f"{image}?view=3"]
    sizes = [(row["mime_type"], row["size_bytes"], row["width_px"], row["height_px"]) for row in mine]
    assert sizes == [("image/jpeg", 100_000 + n, 1600 + n % 100, 1200)] * 2 + [(None, None, None, None)]
    assert {row["reusability"] for row in mine} == {
        r["reusability"] for r in before if r["source_id"] == mine[0]["source_id"]
    }
    requests = len(server.log)
    assert records(lake, server, from_lake=True).already_present == len(before)
    assert len(server.log) == requests
    assert KEY not in everything(lake)


def test_a_list_of_ids(lake: Lake, server: EuropeanaServer, tmp_path: Path) -> None:
    with_picture = [n for n in range(240) if server.collection.image_url(n)]
    without = next(n for n in range(240) if not server.collection.image_url(n))
    names = [server.collection.ids[n] for n in with_picture[:6]]
    written = [
        names[0],
        names[1][1:],
        f"http://data.europeana.eu/item{names[2]}",
        f"https://www.europeana.eu/en/item{names[3]}",
        names[4].replace("/", "[ph]") + ".jpg",
        names[0],  # again
        "/9999/gone",
        server.collection.ids[without],
        "no id",
        "no id",
    ]
    file = tmp_path / "ids.json"
    file.write_text(json.dumps(written))
    report = records(lake, server, file)
    assert (report.read, report.written, report.already_present, report.rejected) == (10, 5, 2, 3)
    assert {row["item"]: row["reason"] for row in rows(lake, "from failures")} == {
        "europeana:/9999/gone": "http_404",
        f"europeana:{server.collection.ids[without]}": "no_web_resources",
        "europeana:no id": "bad_id",
    }
    found = {row["source_id"]: row for row in rows(lake, "from records")}
    assert set(found) == set(names[:5])
    for n in with_picture[:5]:
        row, dataset = found[server.collection.ids[n]], server.collection.datasets[server.collection.dataset[n]]
        assert (row["institution"], row["aggregator"]) == (dataset.institution, dataset.provider)
        assert (row["dataset"], row["country"]) == (dataset.name, dataset.country)
        assert row["media_url"] == server.collection.image_url(n)
        assert row["licence"]
        assert json.loads(row["raw"])["aggregations"][0]["edmObject"] == row["media_url"]
    requests = len(server.log)
    again = records(lake, server, file)
    assert len(server.log) == requests  # nothing is asked for twice
    assert (again.already_present, again.rejected_earlier, again.rejected) == (7, 2, 1)
    retried = records(lake, server, file, retry_failed=True)
    assert [seen.path for seen in server.log[requests:]] == [
        "/record/v2/9999/gone.json",
        f"/record/v2{server.collection.ids[without]}.json",
    ]
    assert retried.rejected == 3
    assert KEY not in everything(lake)


def test_a_list_on_standard_input(
    lake: Lake, server: EuropeanaServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(server.collection.ids[n] for n in range(240) if server.collection.image_url(n))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"# ids\n{name}\n\n"))
    assert run_job(job, ["--lake", lake.root, "--api-url", server.url, "--quiet", "-"], "harvest") == 0
    assert [row["source_id"] for row in rows(lake, "from records")] == [name]
    assert "1 read, 1 written" in capsys.readouterr().out


def test_one_record_that_the_service_fails_to_give(lake: Lake, server: EuropeanaServer, tmp_path: Path) -> None:
    names = [server.collection.ids[n] for n in range(240) if server.collection.image_url(n)][:30]
    file = tmp_path / "ids.txt"
    file.write_text("\n".join(names))
    server.faults = Faults(Fault("status", status=500, path=f"{names[3]}[.]|{names[-1]}[.]"))
    report = records(lake, server, file)
    assert (report.written, report.rejected) == (28, 2)
    assert {row["reason"] for row in rows(lake, "from failures")} == {"http_500"}
    server.faults = Faults(Fault("status", status=500))
    with pytest.raises(ApiError, match="500"):  # the service is down: that is not the records' fault
        records(lake, server, file, retry_failed=True)
    assert len(rows(lake, "from failures")) == 2


def test_options_that_do_not_go_together(lake: Lake, server: EuropeanaServer) -> None:
    with pytest.raises(UsageError, match="--from-lake"):
        records(lake, server)
    with pytest.raises(UsageError, match="--from-lake"):
        records(lake, server, "ids.txt", from_lake=True)
    with pytest.raises(UsageError, match="--rate"):
        collections(lake, server, rate=0.0)


def test_a_refused_key(lake: Lake, server: EuropeanaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EUROPEANA_API_KEY", "wr0ngK3y")
    (tmp_path / "ids.txt").write_text("/1/a\n/1/b\n")
    for status in (400, 401):
        server.key_status = status
        for run in (lambda: records(lake, server, tmp_path / "ids.txt"), lambda: collections(lake, server)):
            with pytest.raises(ApiError, match="Invalid API key") as error:
                run()
            assert "wr0ngK3y" not in str(error.value)
    assert rows(lake, "from failures") == []
    assert "wr0ngK3y" not in everything(lake)
