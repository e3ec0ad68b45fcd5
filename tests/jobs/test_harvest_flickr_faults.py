"""What goes wrong while Flickr is asked, and harvests that are stopped."""

import importlib
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
from imagelake.errors import ApiError
from imagelake.lake.lake import Lake, create_lake
from tests.jobs.flickr_harvests import KEY, calls, harvest, ids, rows
from tests.servers.faults import Fault, Faults
from tests.servers.flickr import FlickrServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[FlickrServer]:
    with FlickrServer(photos=400, key=KEY) as running:
        yield running


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 18, 20, 95, 96, 97, 98, 99, 100, 111, 112, 114, 115, 116])
def test_a_refused_search_is_one_line_without_the_key(
    lake: Lake, server: FlickrServer, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = Faults(Fault("refusal", code=code))
    job = importlib.import_module("imagelake.jobs.harvest_flickr_search")
    url = f"{server.url}/services/rest/"
    exit_code = run_job(job, ["dog", "--lake", lake.root, "--rate", "1e4", "--api-url", url], "imagelake harvest")
    said = capsys.readouterr()
    assert exit_code == ApiError.exit_code
    assert f"(code {code})" in said.err
    assert said.err.count("\n") == 1
    assert KEY not in said.err + said.out
    assert len(server.log) == 1


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_a_refused_pool_is_one_line(lake: Lake, server: FlickrServer, code: int) -> None:
    server.faults = Faults(Fault("refusal", code=code))
    with pytest.raises(ApiError, match=rf"getPhotos: .* \(code {code}\)"):
        harvest(lake, server, "flickr-group", "1000001@N00")


@pytest.mark.parametrize("code", [10, 105, 106])
def test_busy_is_asked_again(lake: Lake, server: FlickrServer, code: int) -> None:
    server.faults = Faults(Fault("refusal", code=code, times=1))
    assert harvest(lake, server, "flickr-search", "leopard", metadata_only=True).rejected == 0
    assert calls(server) == {"search": 2}
    assert not server.faults.unserved()


def test_bad_answers_are_asked_again_and_nothing_is_lost(lake: Lake, server: FlickrServer) -> None:
    kinds = ("status", "html", "cut_body", "reset_body")
    server.faults = Faults(*(Fault(kind, path="getExif", at={4 + k * 9}) for k, kind in enumerate(kinds)))  # type: ignore[arg-type]
    report = harvest(lake, server, "flickr-search", "leopard")
    expected = ids(server, text="leopard", media="photos")
    assert report.written == len(expected) == len(rows(lake, "select source_id from records"))
    assert sum(server.faults.counts().values()) == 4


def test_what_came_before_an_error_is_kept_and_the_next_run_goes_on(lake: Lake, server: FlickrServer) -> None:
    server.faults = Faults(Fault("refusal", code=116, path="getExif", at={50}))
    with pytest.raises(ApiError, match=r"getExif: Bad URL found \(code 116\)"):
        harvest(lake, server, "flickr-search", "leopard", per_page=50)
    kept = len(rows(lake, "select source_id from records"))
    assert 20 <= kept < 50
    server.faults = Faults()
    harvest(lake, server, "flickr-search", "leopard", per_page=50)
    expected = ids(server, text="leopard", media="photos")
    assert {row[0] for row in rows(lake, "select source_id from records")} == expected
    assert calls(server)["getExif"] <= len(expected) + 60 - kept  # what was asked with the one that failed
    assert rows(lake, "select status from latest_runs where job = 'harvest flickr-search' order by started_at") == [
        ("failed",),
        ("succeeded",),
    ]


def test_photos_that_have_gone_are_rejected(lake: Lake, server: FlickrServer) -> None:
    server.faults = Faults(Fault("refusal", code=1, path="getExif", at={3}))
    assert harvest(lake, server, "flickr-search", "leopard").rejected == 1
    assert rows(lake, "select reason, job, stage from failures") == [("not_found", "harvest flickr-search", "harvest")]


def test_the_key_is_nowhere(lake: Lake, server: FlickrServer, capfd: pytest.CaptureFixture[str]) -> None:
    server.faults = Faults(Fault("html", times=1), Fault("status", status=500, path="getExif", times=1))
    harvest(lake, server, "flickr-search", "leopard", label="x")
    harvest(lake, server, "flickr-group", "1000001@N00", metadata_only=True)
    said = capfd.readouterr()
    assert all(KEY in request.target for request in server.log)
    assert KEY not in said.out + said.err
    for path in Path(lake.root).rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    for table in ("records", "harvest_pages", "failures", "runs", "record_labels"):
        assert KEY not in str(rows(lake, f"select columns(* exclude (run_id))::varchar from {table}"))


def test_the_rate_is_held_over_all_threads(lake: Lake, server: FlickrServer) -> None:
    harvest(lake, server, "flickr-search", "leopard", rate=100.0, limit=30)
    times = sorted(request.at for request in server.log)
    assert len(times) == 31
    assert times[-1] - times[0] >= 30 / 100 - 0.02


def test_a_search_that_is_killed_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    lakes = [create_lake(str(tmp_path / name)) for name in ("killed", "whole")]
    with FlickrServer(photos=1500, key=KEY, latency_s=0.01) as server:
        url = f"{server.url}/services/rest/"
        command = [sys.executable, "-m", "imagelake.jobs.harvest_flickr_search", "leopard", "--api-url", url, "--quiet"]
        command += [
            "--rate",
            "40",
            "--per-page",
            "50",
            "--lake",
            lakes[0].root,
            "--require-tags",
            "ISO",
            "--label",
            "cat",
        ]
        with subprocess.Popen(command, env={**os.environ, "FLICKR_API_KEY": KEY}) as process:
            deadline = time.monotonic() + 60
            while lakes[0].delta("harvest_pages").version() == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        asked = calls(server)
        options: dict[str, Any] = {"per_page": 50, "require_tags": ("ISO",), "label": "cat"}
        done = len(rows(lakes[0], "select source_id from records")) + len(rows(lakes[0], "select item from failures"))
        total = len(ids(server, text="leopard", media="photos"))
        assert 100 < done < total - 50
        harvest(lakes[0], server, "flickr-search", "leopard", **options)
        again = calls(server) - asked
        assert again["getExif"] == total - done  # what was committed costs nothing
        assert again["search"] < -(-total // 50)  # finished pages are not read again
        harvest(lakes[1], server, "flickr-search", "leopard", **options)
    for what in (
        "provider, source_id, title, licence, media_url, query, raw from records",
        "provider, source_id, task, label from record_labels",
        "item, reason, message from failures",
    ):
        one, two = (sorted(rows(lake, f"select {what}"), key=str) for lake in lakes)
        assert one == two
        assert len(one) == len(set(map(str, one)))
