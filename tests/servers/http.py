"""An HTTP/1.1 server for tests: requests in, `Reply` out, every request in a log; real sockets, a thread of its own.

A subclass says what is answered: `answer(request) -> Reply`. Everything that a hostile or a slow server does (late, in
drops, cut off, reset, never) is a property of the reply, so that faults are data. RFC 9110 and 9112; no request bodies.
"""

import asyncio
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from tests.servers.connection import Connection
from tests.servers.faults import Faults
from tests.servers.messages import Reply, Seen, json_reply


class Bucket:
    """A token bucket: `count` requests at once, refilled evenly within `period_s`."""

    def __init__(self, count: float, period_s: float) -> None:
        self._count, self._rate = count, count / period_s
        self._left, self._at = count, time.monotonic()

    def wait_s(self) -> float:
        """Takes one token: 0, or the seconds until there is one (then none is taken)."""
        now = time.monotonic()
        self._left = min(self._count, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


class Server:
    """Serves until the `with` ends; `log`, `stats` and the assertions may be read from any thread at any time.

    Args:
        faults: which requests go wrong, and how.
        latency_s: every answer waits so long (others are served meanwhile).
        addresses: addresses of 127.0.0.0/8 to listen on, so that a test has several hosts.
        port: 0 for any free one; the same on every address.
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        latency_s: float = 0.0,
        addresses: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
    ) -> None:
        self.faults = faults or Faults()
        self.latency_s = latency_s
        self.addresses = tuple(addresses)
        self.port = port
        self.connections: set[Connection] = set()
        self.connections_made = 0
        self._log: list[Seen] = []
        self._attempts: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self._ready = threading.Event()
        self._errors: list[BaseException] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    # What a subclass says

    def answer(self, request: Seen) -> Reply:
        """The answer to a request when nothing goes wrong."""
        return Reply(404, b"no such page\n", "text/plain")

    def refusal(self, request: Seen, code: int) -> Reply:
        """The service's own error with this code, for `Fault("refusal", code=...)`."""
        return Reply(code, b"refused\n", "text/plain")

    # What tests ask

    @property
    def url(self) -> str:
        """The address of the server without a slash at the end."""
        return self.at(self.addresses[0])

    def at(self, host: str) -> str:
        """The same by another of its addresses, or by a name that the test resolves."""
        return f"http://{host}:{self.port}"

    @property
    def log(self) -> list[Seen]:
        """Every request so far, in the order of arrival; what a client has got is finished here."""
        self._settle()
        return self._log.copy()

    def requests(self, path: str) -> list[Seen]:
        """The requests for one path."""
        return [seen for seen in self.log if seen.path == path]

    def counts(self) -> Counter[str]:
        """Number of requests by path."""
        return Counter(seen.path for seen in self.log)

    def max_concurrency(self, host: str | None = None) -> int:
        """Most requests in flight at one moment, of a host (as its Host header says) or of the host with most."""
        self._settle()
        most = dict(self._most)
        return most.get(host, 0) if host else max(most.values(), default=0)

    def max_rate(self, host: str | None = None, window_s: float = 1.0) -> int:
        """Most requests that arrived within any `window_s` seconds, of one host or of all together."""
        times = [seen.at for seen in self.log if host in {None, seen.host}]
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    def too_early(self, by: str = "target") -> list[tuple[Seen, Seen]]:
        """Pairs of an answer with Retry-After and a request that did not wait for it (`by` = target, path or host)."""
        log = self.log
        groups: dict[str, list[Seen]] = defaultdict(list)
        for seen in log:
            groups[getattr(seen, by)].append(seen)
        return [
            (told, later)
            for group in groups.values()
            for told in group
            if told.retry_after_s and told.finished_at
            for later in group
            if told.finished_at < later.at < told.finished_at + told.retry_after_s - 0.01
        ]

    def stats(self) -> dict[str, object]:
        """Counts, concurrency, rates, bytes and processor time, as /-/stats gives them."""
        log = self.log
        hosts = {seen.host for seen in log}
        return {
            "requests": len(log),
            "in_flight": sum(self._now.values()),
            "bytes": sum(seen.bytes for seen in log),
            "by_status": Counter(str(seen.status) for seen in log),
            "by_host": Counter(seen.host for seen in log),
            "max_concurrency": dict(self._most),
            "max_per_second": {host: self.max_rate(host) for host in hosts},
            "faults": self.faults.counts(),
            "connections": self.connections_made,
            "cpu_s": time.process_time(),
        }

    # What connections call, in the server's thread

    def begin(self, request: Seen) -> Reply:
        """Notes a request and finds its answer."""
        self._log.append(request)
        host = request.host
        self._now[host] += 1
        self._most[host] = max(self._most[host], self._now[host])
        self._attempts[request.path] += 1
        request.attempt = self._attempts[request.path]
        fault = self.faults.choose(request)
        reply = self.faults.apply(fault, request, self) if fault else self.answer(request)
        request.retry_after_s = reply.retry_after_s
        return reply

    def finish(self, request: Seen) -> None:
        """Notes that the whole answer is with the system, or that the connection is gone."""
        request.finished_at = time.monotonic()
        self._now[request.host] -= 1

    def own_page(self, path: str) -> Reply:
        """/-/log (one JSON object a line) and /-/stats."""
        if path == "/-/stats":
            return json_reply(self.stats())
        if path == "/-/log":
            text = "".join(json.dumps(asdict(seen)) + "\n" for seen in self.log)
            return Reply(200, text.encode(), "application/jsonl")
        return Reply(404, b"/-/log or /-/stats\n", "text/plain")

    # The thread

    def _settle(self) -> None:
        """Waits until the server's thread has noted what it has sent."""
        if self._loop and self._thread.is_alive() and threading.current_thread() is not self._thread:
            settled = threading.Event()
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(settled.set)
                settled.wait(1)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._errors:
            self._thread.join()
            raise self._errors[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop
        assert self._ended
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        if self._errors:  # a fault of the server itself must not look like one that was asked for
            raise self._errors[0] from error

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._note_error)
        listeners: list[asyncio.Server] = []
        try:
            listeners = await self._listen(self._loop)
        except OSError as error:
            self._errors.append(error)
            self._ended.set()
        self._ready.set()
        await self._ended.wait()
        for listener in listeners:
            listener.close()
        for connection in tuple(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Server]:
        listeners: list[asyncio.Server] = []
        for attempt in range(10):
            port = self.port
            try:
                for address in self.addresses:
                    listeners.append(await loop.create_server(self._connect, address, port, backlog=1024))
                    port = listeners[0].sockets[0].getsockname()[1]
            except OSError:
                for listener in listeners:
                    listener.close()
                listeners.clear()
                if self.port or attempt == 9:  # a port that is free on one address may not be on the next
                    raise
            else:
                self.port = port
                break
        return listeners

    def _note_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._errors.append(context.get("exception") or RuntimeError(context["message"]))

    def _connect(self) -> Connection:
        self.connections_made += 1
        return Connection(self)
