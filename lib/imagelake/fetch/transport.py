"""One request, one answer: no redirects, no second attempt; what it may cost in bytes and seconds is bounded."""

import asyncio
import ssl
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import h2.events
import h2.exceptions
import httpcore2

from imagelake.errors import BadItem
from imagelake.fetch.address import Address, is_public
from imagelake.fetch.network import Backend, Resolver
from imagelake.fetch.reply import Headers, Reply, Terms, read_body, read_head

Header = tuple[str, str]
IDLE_S = 15.0  # the longest time that a connection is kept for the next request
_ORIGINS = 256  # whose connections are kept
_CLOSED_AT_A_TIME = 4


Judge = Callable[[int, Headers], BadItem | None]


@dataclass(eq=False)
class _Line:
    """A connection and the number of its requests under way: more than one over HTTP/2 only."""

    connection: httpcore2.AsyncHTTPConnection
    users: int = 0
    stream: httpcore2.AsyncNetworkStream | None = None

    def can_take(self) -> bool:
        """Whether a request may be sent on it now; httpcore2 does not see that an idle HTTP/2 server has hung up."""
        if self.users and not self.connection.can_multiplex():
            return False
        has_ended = self.stream is not None and self.stream.get_extra_info("has_ended")
        return self.connection.is_available() and not self.connection.has_expired() and not has_ended


@dataclass
class _Origin:
    lines: list[_Line] = field(default_factory=list)
    used_at: float = 0.0


class Transport:
    """Connections of one event loop: HTTP/1.1, or HTTP/2 where a server offers it over TLS; kept alive.

    There is no limit on connections here: whoever calls keeps to `Limits`. Proxies of the environment are not used.

    Args:
        allow_private: connect to addresses that are not public as well.
        resolver: finds addresses of names.
        permits: which IP addresses may be asked; None for the public ones.
        ssl_context: which certificates are trusted; None for the system's.
        http2: accept HTTP/2.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolver: Resolver | None = None,
        permits: Callable[[str], bool] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        http2: bool = True,
    ) -> None:
        self._resolver = resolver or Resolver()
        self._backend = Backend(self._resolver, permits or (_all if allow_private else is_public))
        self._ssl_context = ssl_context
        self._http2 = http2
        self._origins: OrderedDict[str, _Origin] = OrderedDict()  # those used last at the end

    async def exchange(
        self, address: Address, headers: Sequence[Header], terms: Terms, judge: Judge | None = None
    ) -> Reply:
        """GET an address; never raises for what a server does.

        Args:
            address: what to ask for.
            headers: headers besides Host.
            terms: what it may cost.
            judge: sees status and headers before the body is read; what it returns ends the exchange.
        """
        reply = Reply()
        began = time.perf_counter()
        try:
            async with asyncio.timeout(terms.deadline_s):
                await self._exchange(_request(address, headers, terms), address, reply, (terms, judge))
        except BadItem as bad:
            reply.bad = bad
        except TimeoutError:
            reply.bad = BadItem("timeout", f"not complete within {terms.deadline_s:g} s; {reply.received} bytes came")
        except _ERRORS as error:
            reply.bad = _fault(error, reply)
        reply.elapsed_ms = (time.perf_counter() - began) * 1000
        return reply

    async def _exchange(
        self, request: httpcore2.Request, address: Address, reply: Reply, rules: tuple[Terms, Judge | None]
    ) -> None:
        terms, judge = rules
        began = time.perf_counter()
        line, response = await self._send(request, address)
        is_complete = False
        try:
            reply.first_byte_ms = (time.perf_counter() - began) * 1000
            read_head(response, reply)
            if judge is not None and (bad := judge(response.status, reply.headers)):
                raise bad
            is_complete = await read_body(response, reply, terms)
        finally:
            await response.aclose()
            await self._leave(address, line, is_reusable=is_complete)

    async def _send(self, request: httpcore2.Request, address: Address) -> tuple[_Line, httpcore2.Response]:
        while True:
            line = await self._line(address)
            response = None
            try:
                response = await line.connection.handle_async_request(request)
            except httpcore2.ConnectionNotAvailable:  # the server has just ended it
                continue
            finally:
                if response is None:
                    await self._leave(address, line, is_reusable=False)
            line.stream = response.extensions["network_stream"]
            return line, response

    async def _line(self, address: Address) -> _Line:
        """A connection that can take a request, an open one or a new one."""
        origin = self._origins.setdefault(address.origin, _Origin())
        self._origins.move_to_end(address.origin)
        origin.used_at = time.monotonic()
        for line in list(origin.lines):
            if line.can_take():
                break
            if line.users == 0 and line in origin.lines:
                origin.lines.remove(line)
                await line.connection.aclose()
        else:
            line = _Line(self._connection(address))
            origin.lines.append(line)
        line.users += 1
        return line

    def _connection(self, address: Address) -> httpcore2.AsyncHTTPConnection:
        return httpcore2.AsyncHTTPConnection(
            httpcore2.Origin(address.scheme.encode(), address.host.encode(), address.port),
            ssl_context=self._ssl() if address.scheme == "https" else None,
            keepalive_expiry=IDLE_S,
            http2=self._http2,
            network_backend=self._backend,
        )

    def _ssl(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpcore2.default_ssl_context()
        return self._ssl_context

    async def _leave(self, address: Address, line: _Line, *, is_reusable: bool) -> None:
        """Give a connection back, and close those that nobody uses.

        httpcore2 does not tell an HTTP/2 server that a stream is given up, so that its body keeps coming and takes the
        window of the others. Such a connection takes no new request and is closed behind its last one.
        """
        line.users -= 1
        origin = self._origins.get(address.origin)
        lines = origin.lines if origin is not None else []
        if not is_reusable or line.connection.is_closed():
            lines[:] = [other for other in lines if other is not line]
        if not line.users and line not in lines:
            await line.connection.aclose()
        await self._close_idle()

    async def _close_idle(self) -> None:
        """Close what was used longest ago: a few at a time, for this comes after every request."""
        now = time.monotonic()
        for key, origin in list(islice(self._origins.items(), _CLOSED_AT_A_TIME)):
            is_old = len(self._origins) > _ORIGINS or origin.used_at < now - IDLE_S
            if is_old and not any(line.users for line in origin.lines):
                del self._origins[key]
                for line in origin.lines:
                    await line.connection.aclose()

    async def close(self) -> None:
        """Close all connections."""
        origins, self._origins = self._origins, OrderedDict()
        for origin in origins.values():
            for line in origin.lines:
                await line.connection.aclose()
        self._resolver.close()
        await asyncio.sleep(0)  # asyncio closes a socket in the next round of its loop


def _all(_: str) -> bool:
    return True


def _request(address: Address, headers: Sequence[Header], terms: Terms) -> httpcore2.Request:
    url = httpcore2.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
    sent = [(b"Host", address.key.encode()), *((name.encode(), value.encode("latin-1")) for name, value in headers)]
    return httpcore2.Request(b"GET", url, headers=sent, extensions={"timeout": {"connect": terms.connect_s}})


# ValueError: what a hostile HTTP/2 server can make of `:status`, and values of ours that do not fit in a header.
_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    h2.exceptions.H2Error,
    zlib.error,
    ValueError,
)


def _fault(error: Exception, reply: Reply) -> BadItem:
    seen: Any = error.args[0] if error.args else ""
    text = f"{reply.received} bytes of body came: {' '.join(str(error).split())[:200]}"
    if isinstance(error, zlib.error):
        return BadItem("content_encoding", text)
    has_ended = "disconnected" in str(error) or "closed connection" in str(error)
    if isinstance(error, h2.exceptions.InvalidBodyLengthError) or (has_ended and reply.status is not None):
        return BadItem("truncated", text)
    is_reset = isinstance(seen, h2.events.StreamReset | h2.events.ConnectionTerminated)
    if has_ended or is_reset or isinstance(error, httpcore2.NetworkError):
        return BadItem("reset", text)
    return BadItem("bad_reply", text)
