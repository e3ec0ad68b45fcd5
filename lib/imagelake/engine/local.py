"""The local engine: a bounded number of batches in flight in threads, or in processes on machines of many cores.

Threads share one interpreter lock, and 18 % of a picture's time holds it (docs/benchmarks.md): three threads then do
the work of 2.8, four that of 3.5, and no number does that of more than 5.6. Above `THREADS_PAY` workers each worker
thread drives a process of its own instead.
"""

import contextlib
import multiprocessing as mp
import os
import queue
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from imagelake.engine import Batch, Head, Stage, Step, chain
from imagelake.errors import EngineError

THREADS_PAY = 3
DONE = object()


@dataclass(frozen=True)
class LocalEngine:
    """Runs stages on this machine.

    Args:
        workers: batches worked on at the same time.
        processes: one process per worker instead of one thread.
    """

    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    processes: bool = False
    name: str = "local"

    def cpus(self) -> int:
        """Its workers."""
        return self.workers

    def run(self, batches: Iterable[Batch], stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run the leading CPU stages in workers, the stages from the first model on in this thread."""
        cut = next((i for i, s in enumerate(stages) if s.pool == "model"), len(stages))
        rest = [stage.open() for stage in stages[cut:]]
        with _Workers(self, stages[:cut]) as workers:
            for batch in workers.results(iter(batches)):
                yield from chain(rest, batch)

    def stream(self, batches: Iterable[Batch], head: Head, stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run the head in this thread, the stages in workers."""
        with contextlib.closing(head.open(0, 1)) as stream:
            yield from self.run(stream(batches), stages)


class _Workers:
    """The pool: at most two batches per worker in flight, results through one bounded queue."""

    def __init__(self, engine: LocalEngine, stages: Sequence[Stage]) -> None:
        self._engine = engine
        self._stages = list(stages)
        self._pool = ThreadPoolExecutor(engine.workers, "imagelake")
        self._results: queue.Queue[Any] = queue.Queue(maxsize=2 * engine.workers)
        self._own = threading.local()
        self._children: list[_Child] = []
        self._stopped = threading.Event()

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        with contextlib.suppress(queue.Empty):  # wakes workers that wait to deliver
            while True:
                self._results.get_nowait()
        if exc[0] is not None:
            for child in self._children:
                child.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for child in self._children:
            child.close()

    def results(self, source: Iterator[Batch]) -> Iterator[Batch]:
        """Feed batches and yield results as they come; an empty batch says that there is none yet."""
        in_flight, more = 0, True
        while more or in_flight:
            while more and in_flight < 2 * self._engine.workers and self._results.empty():
                batch = next(source, None)
                more = batch is not None
                if batch:
                    self._pool.submit(self._work, batch)
                    in_flight += 1
            if not in_flight:
                continue
            result = self._results.get()
            if result is DONE:
                in_flight -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _work(self, batch: Batch) -> None:
        try:
            for result in chain(self._steps(), batch):
                self._deliver(result)
        except BaseException as error:  # noqa: BLE001 (raised again in the driver's thread)
            self._deliver(error)
        self._deliver(DONE)

    def _deliver(self, result: object) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._results.put(result, timeout=0.1)
                return

    def _steps(self) -> Sequence[Step]:
        if not hasattr(self._own, "steps"):
            if self._engine.processes:
                child = _Child(self._stages)
                self._children.append(child)
                self._own.steps = [child]
            else:
                self._own.steps = [stage.open() for stage in self._stages]
        steps: Sequence[Step] = self._own.steps
        return steps


class _Child:
    """A step that runs the stages in a process of its own."""

    def __init__(self, stages: list[Stage]) -> None:
        context = mp.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, stages), daemon=True)
        self._process.start()
        theirs.close()

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        try:
            self._connection.send(batch)
            while (reply := self._connection.recv()) is not None:
                if isinstance(reply, BaseException):
                    raise reply
                yield reply
        except (EOFError, ConnectionError) as error:
            self._process.join(5)
            code = self._process.exitcode
            raise EngineError(
                f"a worker process died (exit code {code}; -9 is often a lack of memory):"
                " what was finished is committed, run again with fewer --workers"
            ) from error

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def close(self) -> None:
        """Let the process end."""
        self._connection.close()
        self._process.join(10)


def _serve(connection: Connection, stages: list[Stage]) -> None:
    """The child's loop: one batch in, its results out, then None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    steps = [stage.open() for stage in stages]
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            batch = connection.recv()
            try:
                for result in chain(steps, batch):
                    connection.send(result)
            except Exception as error:  # noqa: BLE001 (raised again in the parent)
                connection.send(error)
            else:
                connection.send(None)
