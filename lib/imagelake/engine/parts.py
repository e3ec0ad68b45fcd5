"""The Ray engine behind a head: actors that each run a part of it, fed batch by batch, asked for results one by one."""

import queue
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from imagelake.engine import Batch, Head, Stage
from imagelake.engine.local import LocalEngine

PART_CPUS = 2  # of an actor: one for the head, one for the stages behind it
WAITING = 4  # batches kept ready for each part
TICK_SECONDS = 0.2


class Parts:
    """The actors of one run.

    Args:
        ray: the module, connected.
        head: split over the actors.
        stages: run in every actor behind its part of the head.
        cpus: of the cluster.
    """

    def __init__(self, ray: Any, head: Head, stages: Sequence[Stage], cpus: int) -> None:
        self._ray = ray
        self._head = head
        each = min(PART_CPUS, cpus)
        self._number = max(1, cpus // each)
        make = ray.remote(_PartActor).options(num_cpus=each, max_concurrency=2)
        self._actors = [make.remote(head, list(stages), part, self._number, each) for part in range(self._number)]
        self._waiting: list[deque[Batch | None]] = [deque() for _ in self._actors]
        self._takes: dict[Any, int] = {}
        self._puts: dict[Any, int] = {}

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *exc: object) -> None:
        for actor in self._actors:
            self._ray.kill(actor)

    def run(self, source: Iterator[Batch]) -> Iterator[Batch]:
        """Feed the source to its end; then, round by round, what the parts have handed to each other."""
        again: deque[Batch] = deque()
        while True:
            for result in self._round(_fed(again, source)):
                if "_again" in result:
                    again.append({"wants": result.pop("_again")})
                yield result
            if not again:
                return

    def _round(self, source: Iterator[Batch]) -> Iterator[Batch]:
        for part in range(self._number):
            self._take(part)
        more = True
        while self._takes:
            while more and sum(map(len, self._waiting)) < WAITING * self._number:
                more = self._wait_in_line(next(source, None))
            self._put()
            (ready,), _ = self._ray.wait([*self._takes, *self._puts], num_returns=1)
            result = self._ray.get(ready)
            if ready in self._puts:
                del self._puts[ready]
            else:
                part = self._takes.pop(ready)
                if result is not None:
                    self._take(part)
                    yield result

    def _wait_in_line(self, batch: Batch | None) -> bool:
        """Hand a batch, or the end of the round, to the parts; whether it was a batch."""
        pieces = self._head.split(batch, self._number) if batch is not None else [None] * self._number
        for line, piece in zip(self._waiting, pieces, strict=True):
            if piece or piece is None:
                line.append(piece)
        return batch is not None

    def _put(self) -> None:
        for part in {*range(self._number)} - {*self._puts.values()}:
            if self._waiting[part]:
                self._puts[self._actors[part].put.remote(self._waiting[part].popleft())] = part

    def _take(self, part: int) -> None:
        self._takes[self._actors[part].take.remote()] = part


def _fed(again: "deque[Batch]", source: Iterator[Batch]) -> Iterator[Batch]:
    """What was handed back goes first."""
    while True:
        batch = again.popleft() if again else next(source, None)
        if batch is None:
            return
        yield batch


class _PartActor:
    def __init__(self, head: Head, stages: Sequence[Stage], part: int, parts: int, cpus: int) -> None:
        self._inbox: queue.Queue[Batch | None] = queue.Queue(maxsize=WAITING)
        self._stream = head.open(part, parts)
        self._engine = LocalEngine(cpus)
        self._stages = stages
        self._results: Iterator[Batch] | None = None

    def put(self, batch: Batch | None) -> None:
        """Take a batch; waits while there are enough."""
        self._inbox.put(batch)

    def take(self) -> Batch | None:
        """The next result; None at the end of a round."""
        if self._results is None:
            self._results = self._engine.run(self._stream(self._incoming()), self._stages)
        result = next(self._results, None)
        if result is None:
            self._results = None
        return result

    def _incoming(self) -> Iterator[Batch]:
        while True:
            try:
                batch = self._inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                batch = {}
            if batch is None:
                return
            yield batch
