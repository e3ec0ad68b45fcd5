"""A tiny HTTP/1.1 server for the tests of fetching: every test says itself what its server sends."""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """One request: when, what, and with which headers (names in lower case)."""

    at: float
    path: str
    headers: dict[str, str]
    connection: int


Answer = Callable[[Seen], "bytes | Script"]


def reply(body: bytes = b"", status: int = 200, *headers: str) -> bytes:
    """A whole answer; headers are lines."""
    lines = [f"HTTP/1.1 {status} Words", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    """A whole answer."""
    return reply(b"moved", status, f"Location: {location}")


def by_path(**answers: bytes) -> Answer:
    """Answers by the first word of the path; 404 for others."""
    return lambda seen: answers.get(seen.path.strip("/").partition("/")[0].partition("?")[0], reply(b"none", 404))


@dataclass
class Tiny:
    """Serves in the running loop until the `async with` ends.

    Args:
        answer: what to send: bytes, or what writes them itself and then hangs up.
        host: address to listen on.
        work_s: time that each answer takes.
        tls: context of a server.
    """

    answer: Answer
    host: str = "127.0.0.1"
    work_s: float = 0.0
    tls: ssl.SSLContext | None = None
    port: int = 0
    log: list[Seen] = field(default_factory=list)
    connections: int = 0
    now: int = 0
    most: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0.01)  # whoever was just let in
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def url(self, path: str = "/") -> str:
        """An address on this server."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """What was asked for."""
        return [seen.path for seen in self.log]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        number = self.connections
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
                seen = Seen(time.monotonic(), head[0].split(" ")[1], headers, number)
                if not await self._answer(seen, writer):
                    break
        writer.transport.abort()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        self.log.append(seen)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.work_s)
            answer = self.answer(seen)
            if not isinstance(answer, bytes):
                await answer(writer)
                return False
            writer.write(answer)
            await writer.drain()
            return True
        finally:
            self.now -= 1


class Raw(asyncio.Protocol):
    """Says the same to whoever connects, and nothing else.

    Args:
        hello: what to say.
    """

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self._transports: list[asyncio.BaseTransport] = []
        self.lost = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transports.append(transport)
        transport.write(self._hello)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: self, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for transport in self._transports:
            transport.close()
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def in_thread(server: Tiny) -> Iterator[Tiny]:
    """The same for a client that blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
