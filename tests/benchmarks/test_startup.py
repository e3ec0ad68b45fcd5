"""Start-up: the SQL command against importing its three libraries, and the help against an empty interpreter."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagelake.lake.lake import create_lake
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, cpu_seconds, say, versions

IMPORTS = [sys.executable, "-c", "import duckdb, deltalake, pyarrow"]
NOTHING = [sys.executable, "-c", "pass"]


class Timed:
    """Whole processes: CPU seconds, or wall seconds."""

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def __call__(self, command: list[str], expected: str = "") -> float:
        began = time.perf_counter() if self._unit == "wall" else cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        taken = (time.perf_counter() if self._unit == "wall" else cpu_seconds()) - began
        assert expected in done.stdout
        return taken


@pytest.mark.parametrize("unit", ["CPU", "wall"])
def test_sql_on_an_empty_lake(size: Size, tmp_path: Path, unit: str) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    query = [sys.executable, "-m", "imagelake.cli", "sql", "--lake", lake.root, "select 41 + 1 as answer"]
    timed = Timed(unit)
    timed(query), timed(IMPORTS)
    found = Comparison("imagelake sql 'select 1' / import duckdb, deltalake, pyarrow", 1, unit)
    found.rounds(size.of(1, 15), lambda: timed(query, "42"), lambda: timed(IMPORTS))
    found.report("<= 3", versions("imagelake", "duckdb", "deltalake", "pyarrow"))
    assert not size.is_full or found.ratio <= 3


@pytest.mark.parametrize("unit", ["CPU", "wall"])
def test_help(size: Size, unit: str) -> None:
    show = [sys.executable, "-m", "imagelake.cli", "--help"]
    timed = Timed(unit)
    timed(show), timed(NOTHING)
    found = Comparison("imagelake --help / python -c pass", 1, unit)
    found.rounds(size.of(1, 15), lambda: timed(show, "extract"), lambda: timed(NOTHING))
    found.report("0.5 s more", versions("imagelake"))
    more = sorted(a - b for a, b in found.pairs)[len(found.pairs) // 2]
    say({"name": "imagelake --help, seconds more than python -c pass", "unit": unit, "median": round(more, 3)})
    assert not size.is_full or more <= 0.5
