"""Memory of the driver: bounded from ten thousand pending pictures to a million."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagelake.lake.lake import Lake
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, say, versions
from tests.benchmarks.synthetic import make_lake

ROOT = Path(__file__).parents[2]


def drive(lake: Lake, engine: str) -> dict[str, Any]:
    """Run the driver in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.drive", lake.root, engine]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_driver_stays_bounded(size: Size, tmp_path: Path, engine: str) -> None:
    home = CACHE if size.is_full else tmp_path
    few, many = size.of(1000, 10_000), size.of(1000, 1_000_000)
    results = []
    for count in sorted({few, many}):
        lake = make_lake(home / f"pending-{count}", count, per_fragment=100_000, described=False)
        results.append(drive(lake, engine))
    assert [r["images"] for r in results] == sorted({few, many})
    ratio = results[-1]["peak_mib"] / results[0]["peak_mib"]
    say(
        {
            "name": f"driver of --engine {engine}, peak memory at {many:,} / {few:,} pending",
            "ratio": round(ratio, 3),
            "limit": "peak < 1,536 MiB",
            "peaks_mib": [r["peak_mib"] for r in results],
            "seconds": [r["seconds"] for r in results],
            "batches": [r["batches"] for r in results],
            "versions": versions("imagelake", "duckdb", "pyarrow", "ray", "deltalake"),
        }
    )
    # DuckDB takes up to its limit of 512 MB while it finds and sorts what is pending; nothing else grows
    assert not size.is_full or results[-1]["peak_mib"] < 1536
