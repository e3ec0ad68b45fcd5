"""The local engine: what goes in comes out, bounded, and failures of workers are not swallowed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pytest

from imagelake.engine import Batch, chain
from imagelake.engine.choose import choose_engine
from imagelake.engine.cluster import RayEngine
from imagelake.engine.local import LocalEngine
from imagelake.engine.progress import Progress
from imagelake.errors import EngineError, UsageError

POOLS = [LocalEngine(2), LocalEngine(2, processes=True)]


@dataclass(frozen=True)
class Twice:
    """Yields each number and its double."""

    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        def step(batch: Batch) -> Iterator[Batch]:
            number = batch["n"]["n"][0].as_py()
            yield batch
            yield {"n": pa.table({"n": [number * 2]})}

        return step


@dataclass(frozen=True)
class Fails:
    """A bug, a death or a stop at number 3."""

    how: str
    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        def step(batch: Batch) -> Iterator[Batch]:
            if batch["n"]["n"][0].as_py() == 3:
                if self.how == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise ZeroDivisionError("planted")
            yield batch

        return step


def numbers(count: int) -> Iterator[Batch]:
    return ({"n": pa.table({"n": [i]})} for i in range(count))


def values(batches: Iterator[Batch]) -> list[int]:
    return sorted(batch["n"]["n"][0].as_py() for batch in batches)


@pytest.mark.parametrize("engine", POOLS, ids=["threads", "processes"])
def test_every_batch_goes_through_every_stage(engine: LocalEngine) -> None:
    found = values(engine.run(numbers(20), [Twice(), Twice("model"), Twice()]))
    steps = [stage.open() for stage in (Twice(), Twice(), Twice())]
    assert found == values(result for batch in numbers(20) for result in chain(steps, batch))
    assert len(found) == 160


@pytest.mark.parametrize("engine", POOLS, ids=["threads", "processes"])
def test_a_bug_in_a_stage_is_raised(engine: LocalEngine) -> None:
    with pytest.raises(ZeroDivisionError, match="planted"):
        values(engine.run(numbers(20), [Fails("raises")]))


def test_a_worker_that_dies_is_one_clear_line() -> None:
    with pytest.raises(EngineError, match="exit code -9"):
        values(LocalEngine(2, processes=True).run(numbers(20), [Fails("dies")]))


def test_nothing_to_do_starts_nothing() -> None:
    assert values(LocalEngine(2, processes=True).run(numbers(0), [Twice()])) == []


def test_few_batches_are_in_flight() -> None:
    taken = 0

    def counted() -> Iterator[Batch]:
        nonlocal taken
        for batch in numbers(1000):
            taken += 1
            yield batch

    run = LocalEngine(2).run(counted(), [Twice()])
    next(run)
    assert taken <= 8
    run.close()  # type: ignore[attr-defined]
    assert taken <= 8


def test_closing_early_ends_the_workers() -> None:
    before = threading.active_count()
    run = LocalEngine(4).run(numbers(1000), [Twice()])
    next(run)
    run.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_the_choice_of_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert choose_engine("auto", 10, None, 2) == LocalEngine(2)
    assert choose_engine("auto", 10, None, 16) == LocalEngine(16, processes=True)
    assert choose_engine("auto", 1_000_000, None, 2) == RayEngine(None, 2)
    assert choose_engine("auto", 10, "auto", None) == RayEngine("auto", None)
    assert choose_engine("local", 1_000_000, None, 1) == LocalEngine(1)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert choose_engine("auto", 10, None, None) == RayEngine(None, None)
    for wrong in (("fast", None, None), ("local", "auto", None), ("auto", None, 0)):
        with pytest.raises(UsageError):
            choose_engine(wrong[0], 1, wrong[1], wrong[2])


def test_progress_is_a_line_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagelake.engine.progress.LINE_SECONDS", 0.0)
    with Progress("extract", 200) as progress:
        time.sleep(0.01)
        progress.update(50, 2)
    said = capsys.readouterr().err
    assert said.startswith("extract: 50 of 200 items, ")
    assert "2 failures, about" in said
    with Progress("extract", 200, quiet=True) as progress:
        progress.update(50, 2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "before", ["import ray", "import contextlib\nwith contextlib.suppress(EngineError): connect('127.0.0.1:1', None)"]
)
def test_a_cluster_starts_whatever_the_process_did_with_ray_before(before: str) -> None:
    """Ray reads the token's variables when it is imported: set afterwards, the new cluster refuses this process."""
    code = "\n".join(
        [
            "from imagelake.engine.cluster import connect",
            "from imagelake.errors import EngineError",
            before,
            "print(int(connect(None, 1).cluster_resources()['CPU']))",
        ]
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert done.stdout.strip() == "1", done.stderr[-2000:]
