"""One connection of the test server: bytes in, requests to the server, replies out."""

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from typing import Protocol, cast

from tests.servers.messages import Reply, Seen, html, parse_head

HEAD_LIMIT = 1 << 16
PIECE = 1 << 16
TICK_S = 0.02  # a drip falls so often


class Handler(Protocol):
    """What a connection needs of its server."""

    connections: set["Connection"]
    connections_made: int
    latency_s: float

    def begin(self, request: Seen) -> Reply: ...
    def finish(self, request: Seen) -> None: ...
    def own_page(self, path: str) -> Reply: ...


class Connection(asyncio.Protocol):
    """Reads requests one after the other and performs their replies."""

    def __init__(self, server: Handler) -> None:
        self._server = server
        self._number = server.connections_made
        self._buffer = b""
        self._request: Seen | None = None
        self._is_busy = False  # a reply is under way
        self._is_paused = False
        self._ends_after = False  # the connection ends when the reply is with the system
        self._drained: asyncio.Future[None] | None = None
        self._work: asyncio.Task[None] | asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # the answer counts as given when the system has all of it
        self._transport.set_write_buffer_limits(high=0)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._is_busy:
            self._next()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._drained and not self._drained.done():
            self._drained.set_result(None)
        elif self._is_busy and self._work is None:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._work:
            self._work.cancel()
        self._note_end()

    # Requests

    def abort(self) -> None:
        """Ends the connection at once."""
        self._transport.abort()

    def _next(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > HEAD_LIMIT:
                self._refuse(431)
            return
        self._buffer = rest
        try:
            request = parse_head(head, self._number)
        except ValueError:
            self._refuse(400)
            return
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            self._refuse(413)
            return
        self._is_busy = True
        self._ends_after = request.headers.get("connection", "").lower() == "close"
        self._request = request
        if request.path.startswith("/-/"):
            request.finished_at = request.at  # the server's own pages are not in the log
            self._send(self._server.own_page(request.path))
        else:
            self._perform(self._server.begin(request))

    def _refuse(self, status: int) -> None:
        reply = html("Bad request", status)
        self._buffer = b""
        self._transport.write(reply.head(keep=False) + reply.body)
        self._transport.close()

    # Replies

    def _perform(self, reply: Reply) -> None:
        if reply.hang:
            return
        delay_s = reply.delay_s + self._server.latency_s
        if delay_s > 0:
            self._work = asyncio.get_running_loop().call_later(delay_s, self._send, reply)
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self._work = None
        request = self._request
        assert request
        if not reply.silent:
            request.status = reply.status
        if reply.is_plain or (request.method == "HEAD" and not reply.silent):
            head = reply.head(keep=not self._ends_after)
            body = b"" if request.method == "HEAD" else reply.body
            request.bytes = len(body)
            self._transport.write(head + body)
            if not self._is_paused:
                self._finish()
        else:
            self._work = asyncio.get_running_loop().create_task(self._send_slowly(reply, request))

    async def _send_slowly(self, reply: Reply, request: Seen) -> None:
        if not reply.silent:
            self._transport.write(reply.head(keep=reply.end == "keep" and not self._ends_after))
            await self._drain()
            await self._send_body(reply, request)
        self._work = None
        if reply.end == "reset":
            self._reset()
        elif reply.end == "close":
            self._transport.close()
        else:
            self._finish()

    async def _send_body(self, reply: Reply, request: Seen) -> None:
        is_chunked = reply.length == -1
        size = max(1, int(reply.bytes_per_s * TICK_S)) if reply.bytes_per_s else PIECE
        begun = time.monotonic()
        for piece in _pieces(reply, size):
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            request.bytes += len(piece)
            await self._drain()
            if reply.bytes_per_s:
                await asyncio.sleep(begun + request.bytes / reply.bytes_per_s - time.monotonic())
        if is_chunked and reply.end == "keep":
            self._transport.write(b"0\r\n\r\n")
            await self._drain()

    async def _drain(self) -> None:
        if self._transport.is_closing():
            raise asyncio.CancelledError
        if self._is_paused:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def _reset(self) -> None:
        """Ends with RST, so that the client sees a reset and not an end."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _note_end(self) -> None:
        if self._request and self._request.finished_at is None:
            self._server.finish(self._request)

    def _finish(self) -> None:
        self._note_end()
        self._is_busy = False
        if self._ends_after:
            self._transport.close()
        elif self._buffer:
            # not at once: a pipe full of requests must not grow the stack
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._buffer and not self._is_busy and not self._transport.is_closing():
            self._next()


def _pieces(reply: Reply, size: int) -> Iterator[bytes]:
    body = reply.body if reply.send is None else reply.body[: reply.send]
    for start in range(0, len(body), size):
        yield body[start : start + size]
    if reply.stream:
        yield from reply.stream
