"""Kill the main job again and again, at moments drawn from a seed, until it is through: the lake is as without."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagelake.lake.lake import Lake, create_lake
from tests.jobs.same import bytes_of, contents
from tests.jobs.test_main_job import _start, run_extract, run_ingest


def _killed_after(seconds: float, *arguments: object) -> bool:
    """Start the command, kill it and its children after some time; whether it was still at work."""
    process = _start(*arguments)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("engine", "most_seconds"), [("local", 2.0), ("ray", 15.0)])
def test_killed_many_times(
    lake: Lake, tmp_path: Path, make_pictures: Callable[..., Path], engine: str, most_seconds: float
) -> None:
    rng = random.Random(7)
    photos = make_pictures(tmp_path / "many", 1200, width=320, height=240)
    whole = create_lake(str(tmp_path / "whole"))
    run_ingest(whole, photos)
    run_extract(whole)
    kills = 0
    began = time.monotonic()
    options = ("--lake", lake.root, "--engine", engine, "--workers", 2)
    for command in (("ingest", *options, photos), ("extract", *options, "--embed", "descriptor")):
        while _killed_after(rng.uniform(0.3, 1) * most_seconds, *command):
            kills += 1
            most_seconds *= 1.1  # it must come through in the end
    print(f"{engine}: {kills} kills in {time.monotonic() - began:.0f} s")
    assert kills >= 2
    assert contents(lake) == contents(whole)
    assert bytes_of(lake) == bytes_of(whole)
