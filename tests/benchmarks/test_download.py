"""`download` against img2dataset: the same addresses of one loopback server, in turns, results checked.

Ours is three jobs, from the list to committed tables: `harvest urls`, `download`, `extract --only exif`. Both run two
workers with 32 requests at a time and end with sizes, SHA-256 and EXIF of every picture, packed in tar shards. A run
over a few addresses gives what each needs to start, which is shown apart.
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, Comparison, versions, wait_for_quiet
from tests.benchmarks.peers import peer
from tests.benchmarks.photos import photographs

FEW = 20
SIZES = ((1024, 768), (1600, 1200))
Runner = Callable[[str, int], dict[str, Any]]


@pytest.fixture
def addresses(size: Size, tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes lists of addresses; half of the pictures have 1024 x 768 pixels, half 1600 x 1200."""
    home = CACHE if size.is_full else tmp_path
    folder = tmp_path / "served"
    folder.mkdir()
    for px in SIZES:
        for path in sorted(photographs(home, size.of(2, 200), px).iterdir()):
            (folder / f"{path.stem}-{px[0]}.jpg").symlink_to(path)
    command = [sys.executable, "-m", "tests.servers.images", "--folder", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()

        def of(count: int) -> Path:
            path = tmp_path / f"{count}.txt"
            path.write_text("\n".join(f"{url}/pic/{n}.jpg" for n in range(count)))
            return path

        yield of
        server.terminate()


@pytest.fixture
def runners(size: Size, addresses: Callable[[int], Path], tmp_path: Path) -> tuple[Runner, Runner]:
    """Ours and the peer's, each in a process of its own and a new folder."""
    other = peer("img2dataset", install=size.is_full)
    number = itertools.count()

    def ours(how: str, count: int) -> dict[str, Any]:
        options = [str(addresses(count)), str(tmp_path / f"lake-{next(number)}"), how, "2", "32"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.download_ours", *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return checked(json.loads(done.stdout), count)

    def theirs(how: str, count: int) -> dict[str, Any]:
        folder = tmp_path / f"shards-{next(number)}"
        return checked(other.run(addresses(count), folder, how, 2, 32), count)

    return ours, theirs


def checked(result: dict[str, Any], count: int) -> dict[str, Any]:
    assert result["successes"] == count
    assert result.get("images", count) == count
    assert result.get("with_exif", count) == count
    return result


@pytest.mark.parametrize(("how", "rival", "limit"), [("resize", "resize", 1.5), ("keep", "resize", 3.0)])
def test_download(size: Size, runners: tuple[Runner, Runner], how: str, rival: str, limit: float) -> None:
    """Pictures per second without the start-up, and CPU per picture likewise."""
    ours, theirs = runners
    count = size.of(60, 5000)
    if size.is_full:
        wait_for_quiet()
    start = {name: run(mode, FEW) for name, run, mode in (("ours", ours, how), ("theirs", theirs, rival))}
    wall, cpu = (Comparison(f"download, {how}, {unit}", count, unit) for unit in ("wall", "CPU"))
    seen: list[dict[str, Any]] = []

    def once(run: Runner, mode: str) -> dict[str, Any]:
        seen.append(run(mode, count))
        return seen[-1]

    for _ in range(size.of(1, 2)):
        a, b = once(ours, how), once(theirs, rival)
        wall.pairs.append((b["wall"] - start["theirs"]["wall"], a["wall"] - start["ours"]["wall"]))
        cpu.pairs.append((a["cpu"] - start["ours"]["cpu"], b["cpu"] - start["theirs"]["cpu"]))
    apart = {f"start-up of {name}": f"{r['wall']:.1f} s, {r['cpu']:.1f} s CPU" for name, r in start.items()}
    used = {**versions("imagelake", "pillow", "httpcore2"), "img2dataset": str(seen[1]["version"])}
    wall.report(f">= {limit}", used, **apart, peak_mib=seen[0]["peak_mib"], mb=round(seen[0]["bytes"] / 1e6))
    cpu.report("<= 0.7", used, mb_of_peer=round(seen[1]["bytes"] / 1e6))
    assert not size.is_full or wall.ratio >= limit
    assert not size.is_full or cpu.ratio <= 0.7
