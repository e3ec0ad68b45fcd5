"""The job `download` killed half-way, interrupted, and on Ray: the same lake, and hosts that are not bothered twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagelake.lake.lake import Lake, create_lake
from tests.jobs.downloading import outcomes, put_urls, rows, run_download
from tests.jobs.same import bytes_of, contents
from tests.servers.images import ImageHost

HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
SAME = ("images", "sightings", "failures", "labels")


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with ImageHost(addresses=HOSTS, latency_s=0.01) as server:
        yield server


def start(lake: Lake, *options: str) -> subprocess.Popen[bytes]:
    """The job in a process group of its own."""
    job = [sys.executable, "-m", "imagelake.jobs.download", "--lake", lake.root, "--allow-private", "--quiet"]
    return subprocess.Popen([*job, "--engine", "local", *options], start_new_session=True, stderr=subprocess.PIPE)


def wait_for(host: ImageHost, requests: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while len(host.log) < requests and time.monotonic() < deadline:
        assert process.poll() is None, "it was over before"
        time.sleep(0.002)


def fetched(host: ImageHost) -> Counter[str]:
    """Requests by address."""
    return Counter(f"http://{seen.host}{seen.target}" for seen in host.log if seen.path != "/robots.txt")


@pytest.mark.parametrize(("count", "rate"), [(400, 30), pytest.param(5000, 200, marks=pytest.mark.long)])
def test_killed_and_run_again_is_the_same_lake(tmp_path: Path, host: ImageHost, count: int, rate: int) -> None:
    """A kill costs what was on its way: 2 % of the addresses at most, where they are many."""
    urls = [f"{host.at(HOSTS[n % 3])}/pic/{n}.jpg" for n in range(count)] + [f"{host.url}/missing"]
    whole, killed = (create_lake(str(tmp_path / name)) for name in ("whole", "killed"))
    for lake in (whole, killed):
        put_urls(lake, urls)
    run_download(whole)
    before = len(host.log)
    process = start(killed, "--rate", str(rate), "--connections", "16")
    wait_for(host, before + count // 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    report = run_download(killed)
    assert report.read == count + (report.rejected == 1)
    assert contents(killed, SAME) == contents(whole, SAME)
    assert bytes_of(killed) == bytes_of(whole)
    twice = sum(number - 2 for number in fetched(host).values())  # once for each lake
    print(f"\nBENCH kill at 50 % of {count}: {twice} fetched twice, {twice / count:.2%}")
    assert twice <= max(count // 50, 80)  # 80: what was on its way, and some batches of a machine that is busy
    assert set(outcomes(killed)) == set(urls)


def test_ctrl_c_commits_what_is_finished(lake: Lake, host: ImageHost) -> None:
    put_urls(lake, [f"{host.url}/pic/{n}.jpg" for n in range(300)])
    process = start(lake, "--rate", "100")
    wait_for(host, 120, process)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said.decode().count("\n")) == (130, 1), said.decode()
    (run,) = rows(lake, "select * from latest_runs where job = 'download'")
    assert run["status"] == "interrupted"
    stored = rows(lake, "select count(*) as n from images")[0]["n"]
    assert 0 < stored < 300
    assert run_download(lake).written == 300 - stored


@pytest.fixture
def two_parts(shared_ray: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two CPUs, each with a part of the hosts."""
    monkeypatch.setattr("imagelake.engine.parts.PART_CPUS", 1)


def test_ray_gives_the_same_lake_and_is_as_polite(tmp_path: Path, host: ImageHost, two_parts: None) -> None:
    """Every host is asked from one place only, also behind redirects from the hosts of others."""
    urls = [f"{host.at(HOSTS[n % 4])}/pic/{n}.jpg" for n in range(40)]
    urls += [
        f"{host.at(HOSTS[n % 4])}/redirect-to?u={host.at(HOSTS[(n + 1) % 4])}/pic/{n}.jpg" for n in range(100, 116)
    ]
    urls += [f"{host.url}/missing", f"{host.at(HOSTS[1])}/flaky/pic/90.jpg", f"{host.at(HOSTS[2])}/loop"]
    lakes = [create_lake(str(tmp_path / engine)) for engine in ("local", "ray")]
    for lake in lakes:
        put_urls(lake, urls)
        seen = len(host.log)
        report = run_download(lake, engine=Path(lake.root).name, per_host=2, rate=50.0)
        assert (report.read, report.rejected) == (len(urls), 2)
        assert len(host.log) - seen > len(urls)
    local, ray = lakes
    for name in HOSTS:  # 10 in 0.2 s; two that do not know of each other would be 20
        assert host.max_rate(f"{name}:{host.port}", window_s=0.2) <= 14
    assert contents(ray, SAME) == contents(local, SAME)
    assert outcomes(ray) == outcomes(local)
    assert bytes_of(ray) == bytes_of(local)
    assert max(host.max_concurrency(f"{name}:{host.port}") for name in HOSTS) <= 2
    agents = Counter(s.host for s in host.log if s.path == "/robots.txt")
    assert set(agents.values()) == {2}  # once per lake: one owner has asked
