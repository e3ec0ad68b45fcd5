"""Addresses in, fetched bodies out: many fetches at a time in one event loop, in batches to store and commit.

A host is served by one stream only: where there are several (on a cluster), each owns the hosts of its part and
hands back what a redirect leads to the others.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from imagelake.fetch.address import host_key, partition
from imagelake.fetch.fetcher import Attempt, Fetcher, Rerouted, Settings, Want
from imagelake.lake.tables import table_def

Batch = dict[str, pa.Table]
WINDOW = 4096  # addresses known at a time: enough hosts to be busy while each takes its time
BATCH_BYTES = 64 << 20  # of bodies in a batch, as in a shard
BATCH_SECONDS = 2.0  # the longest time that a body waits for its batch
WAITING_BYTES = 128 << 20  # of bodies that wait to be stored: no new request is made then
TICK_SECONDS = 0.2

Outcome = list[Attempt] | Rerouted
WANTS = pa.schema([(f.name, pa.int64() if f.type is int else pa.string()) for f in fields(Want)])
FETCHED = pa.schema(
    [*(f for f in table_def("fetches").schema if f.name not in {"run_id", "image_id"}), ("body", pa.large_binary())]
)


@dataclass(frozen=True)
class FetchUrls:
    """Fetches the addresses of a stream's tables `wants`; gives tables `fetched` (schema `FETCHED`).

    Args:
        settings: how; rates and connections over all hosts are divided among the parts.
        items: addresses of a batch, unless its bytes or its age complete it earlier.
    """

    settings: Settings
    items: int

    def split(self, batch: Batch, parts: int) -> list[Batch]:
        """By the host."""
        urls = batch["wants"]["url"].to_pylist()
        owners = pa.array([partition(host_key(url), parts) for url in urls])
        pieces = (batch["wants"].filter(pc.equal(owners, part)) for part in range(parts))
        return [{"wants": piece} if piece.num_rows else {} for piece in pieces]

    def open(self, part: int, parts: int) -> "Fetching":
        """The stream of one part."""
        rate = self.settings.total_rate_per_s
        settings = replace(
            self.settings,
            total_rate_per_s=rate / parts if rate else None,
            total_concurrency=max(1, self.settings.total_concurrency // parts),
        )
        return Fetching(settings, lambda key: partition(key, parts) == part, self.items)


def _wants(batch: Batch) -> list[Want]:
    rows = batch["wants"].to_pylist() if batch else []
    return [Want(**{name: value for name, value in row.items() if value is not None}) for row in rows]


class Fetching:
    """A fetcher in an event loop with a thread of its own, and the rows of the next batch.

    Args:
        settings: how to fetch.
        owns: whether a host is ours.
        items: addresses of a batch.
    """

    def __init__(self, settings: Settings, owns: Callable[[str], bool], items: int) -> None:
        self._settings = settings
        self._owns = owns
        self._items = items
        self._done: queue.SimpleQueue[asyncio.Task[Outcome]] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._busy = 0
        self._rows: list[dict[str, Any]] = []
        self._again: list[dict[str, object]] = []
        self._finished = self._bytes = 0
        self._waiting = self._waiting_bytes = 0  # known to the event loop only
        self._since = time.monotonic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="imagelake-fetch", daemon=True)
        self._thread.start()
        self._fetcher = asyncio.run_coroutine_threadsafe(self._opened(), self._loop).result()

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Fetch what comes, and give batches as they are complete."""
        for batch in batches:
            self._start(_wants(batch))
            yield from self._results(most=WINDOW)
        yield from self._results(most=0)

    def close(self) -> None:
        """Leave what is on its way, close the connections, end the thread."""
        asyncio.run_coroutine_threadsafe(self._closed(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _opened(self) -> Fetcher:
        return Fetcher(self._settings, self._owns)

    async def _closed(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._fetcher.close()

    def _start(self, wants: Sequence[Want]) -> None:
        """Begin to fetch."""
        self._busy += len(wants)
        self._loop.call_soon_threadsafe(self._create, wants)

    def _create(self, wants: Sequence[Want]) -> None:
        for want in wants:
            task = self._loop.create_task(self._fetcher.fetch(want))
            self._tasks.add(task)  # the loop itself keeps weak references only
            task.add_done_callback(self._finish)

    def _finish(self, task: "asyncio.Task[Outcome]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._weigh(1, _bytes_of(task))
            self._done.put(task)

    def _weigh(self, items: int, size: int) -> None:
        """Make no new requests while enough waits to be stored: it would be lost if we were killed."""
        self._waiting += items
        self._waiting_bytes += size
        if self._waiting > 2 * self._items or self._waiting_bytes > WAITING_BYTES:
            self._fetcher.pause()
        else:
            self._fetcher.resume()

    def _results(self, most: int) -> Iterator[Batch]:
        """Batches that are complete; returns when at most `most` fetches are left, with `most` 0 after all rows.

        An empty batch says that none is complete yet, so that whoever runs us may look after what is behind us.
        """
        while True:
            self._collect(wait=self._busy > most)
            if self._is_complete() or (self._busy == most == 0):
                yield self._take()
            elif self._busy > most:
                yield {}
            if self._busy <= most:
                return

    def _collect(self, *, wait: bool) -> None:
        """Turn finished fetches into rows, waiting a moment for the first."""
        with contextlib.suppress(queue.Empty):
            self._add(self._done.get(timeout=TICK_SECONDS) if wait else self._done.get_nowait())
            while not self._is_complete():
                self._add(self._done.get_nowait())

    def _add(self, task: "asyncio.Task[Outcome]") -> None:
        self._busy -= 1
        self._loop.call_soon_threadsafe(self._weigh, -1, -_bytes_of(task))
        if not self._rows and not self._again:
            self._since = time.monotonic()
        outcome = task.result()  # raises what is a bug
        if isinstance(outcome, Rerouted):
            self._again.append(vars(outcome.want))
            self._rows += map(_row, outcome.attempts)
            return
        self._rows += map(_row, outcome)
        self._finished += 1
        self._bytes += _bytes_of(task)

    def _is_complete(self) -> bool:
        late = time.monotonic() - self._since > BATCH_SECONDS and bool(self._rows or self._again)
        return self._finished >= self._items or self._bytes >= BATCH_BYTES or late

    def _take(self) -> Batch:
        bodies = _binary([row.pop("body") for row in self._rows])
        rows = pa.Table.from_pylist(self._rows, pa.schema([f for f in FETCHED if f.name != "body"]))
        batch = {"fetched": rows.append_column(FETCHED.field("body"), bodies)}
        if self._again:
            batch["_again"] = pa.Table.from_pylist(self._again, WANTS)
        self._rows, self._again = [], []
        self._finished = self._bytes = 0
        return batch


def _bytes_of(task: "asyncio.Task[Outcome]") -> int:
    """Bytes of the bodies that a fetch brought."""
    outcome = None if task.exception() else task.result()
    return sum(len(attempt.body or b"") for attempt in outcome) if isinstance(outcome, list) else 0


def _row(attempt: Attempt) -> dict[str, Any]:
    return dict(vars(attempt))


def _binary(values: list[bytes | None]) -> pa.Array:
    """An array that is copied once: Arrow's own builder copies again and again while it grows."""
    ends = np.cumsum([0, *(len(value or b"") for value in values)], dtype=np.int64)
    valid = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
    data = pa.py_buffer(b"".join(value or b"" for value in values))
    return pa.Array.from_buffers(pa.large_binary(), len(values), [valid, pa.py_buffer(ends), data])
