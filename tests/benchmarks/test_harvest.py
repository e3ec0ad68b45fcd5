"""`harvest europeana` against a bare loop over the same pages, from a server that takes 20 ms for a page of 100.

The bare loop asks for page after page with http.client and parses the JSON; ours besides makes rows, blots the key,
compares with what the lake has, and commits. The program that it replaces brought 192 records per second.
"""

import http.client
import itertools
import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagelake.jobs import harvest_europeana
from imagelake.lake.lake import create_lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, say, versions, wait_for_quiet, wall_of

KEY = "the-key"
REPLACED = 192.0  # records per second
LATENCY_S = 0.02


@pytest.fixture
def service(size: Size) -> Iterator[str]:
    records = str(size.of(300, 20_000))
    command = [sys.executable, "-m", "tests.servers.europeana", "--records", records, "--latency", str(LATENCY_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def bare(url: str) -> int:
    """Every record, with nothing done to it."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    cursor, found = "*", 0
    while cursor:
        given = {"wskey": KEY, "query": "*", "rows": "100", "cursor": cursor, "sort": "europeana_id"}
        connection.request("GET", "/record/v2/search.json?" + urllib.parse.urlencode(given))
        reply = json.loads(connection.getresponse().read())
        found += len(reply["items"])
        cursor = reply.get("nextCursor", "")
    connection.close()
    return found


def test_harvest(size: Size, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EUROPEANA_API_KEY", KEY)
    number, count = itertools.count(), size.of(300, 20_000)
    if size.is_full:
        wait_for_quiet()

    def ours() -> None:
        lake = create_lake(str(tmp_path / f"lake-{next(number)}"))
        everything = {"media": False, "images_only": False, "rate": 1000.0, "quiet": True}
        config = harvest_europeana.Config(query=("*",), lake=lake.root, api_url=service, **everything)
        assert harvest_europeana.run(config, lake).written == count
        with Session(lake) as session:
            assert session.execute("select count(distinct source_id) from records").fetchall() == [(count,)]

    def theirs() -> None:
        assert bare(service) == count

    found = Comparison("harvest europeana", count, "wall")
    found.rounds(size.of(1, 3), lambda: wall_of(ours), lambda: wall_of(theirs))
    found.report("none", versions("imagelake", "httpcore2", "deltalake", "duckdb"))
    per_second = count / sorted(ours_s for ours_s, _ in found.pairs)[len(found.pairs) // 2]
    say({"name": "harvest europeana, records per second", "ratio": round(per_second / REPLACED, 1), "limit": ">= 5"})
    assert not size.is_full or per_second >= 5 * REPLACED
