"""Other programs that do parts of the same work, each in an environment of its own under `.bench/`, pinned by hash.

A peer is `peers/NAME.py` with `peers/NAME.lock`; it runs as a process and prints one line of JSON: CPU seconds of the
work (user and system, threads and children included), of the imports, wall seconds, and its results for checking.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.measure import CACHE

HERE = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """A peer that can be run."""

    name: str
    python: Path

    def run(self, *arguments: object) -> dict[str, Any]:
        """Run the peer to its end."""
        command = [str(self.python), str(HERE / f"{self.name}.py"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        assert done.returncode == 0, done.stderr[-2000:]
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


def _environment() -> dict[str, str]:
    return {**os.environ, "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1", "DAFT_PROGRESS_BAR": "0"}


def peer(name: str, *, install: bool) -> Peer:
    """The peer, installed where it is missing and `install` allows; skips the test where it cannot be had."""
    lock = HERE / f"{name}.lock"
    home = CACHE / f"peer-{name}"
    done = home / "installed.lock"
    if not (done.exists() and done.read_text() == lock.read_text()):
        if not install:
            pytest.skip(f"{name} is not installed: `make bench` does it")
        _install(name, home, lock)
    return Peer(name, home / "bin" / "python")


def _install(name: str, home: Path, lock: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "install.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, home], check=True)
        install = [
            uv,
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--require-hashes",
            "--python",
            home / "bin" / "python",
            "-r",
            lock,
        ]
        answer = subprocess.run(install, capture_output=True, text=True, check=False)
        if answer.returncode:
            pytest.skip(f"{name} could not be installed: {answer.stderr.strip()[-300:]}")
        shutil.copyfile(lock, home / "installed.lock")
