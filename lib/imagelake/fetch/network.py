"""Connections: a host's name in, a stream to an address that may be asked out.

The name is resolved here and the connection made to the address that was checked: no second look-up in between can
lead elsewhere (DNS rebinding), and every hop of a redirect comes through here.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import httpcore2

from imagelake.errors import BadItem
from imagelake.fetch.address import is_public

Lookup = Callable[[str], Awaitable[list[str]]]
TTL_S = 300.0
NEGATIVE_TTL_S = 10.0
_NAMES = 20_000  # of host names whose addresses are kept
_THREADS = 16  # look-ups at a time: getaddrinfo blocks a thread for as long as a name server is silent
_PAUSE_BYTES = 1 << 20  # received and not yet read; then the server has to wait


class Resolver:
    """Finds the addresses of names and keeps them for a while; askers of one name share one look-up.

    Args:
        lookup: finds the IP addresses of a name, or raises OSError; None for the system's own way.
    """

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "dns")
        self._lookup = lookup or self._getaddrinfo
        self._known: OrderedDict[str, tuple[float, list[str] | BadItem]] = OrderedDict()
        self._pending: dict[str, asyncio.Task[list[str] | BadItem]] = {}

    async def addresses(self, host: str) -> list[str]:
        """The IP addresses of a host, which may be given as one.

        Raises:
            BadItem: `dns`.
        """
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        expires_at, found = self._known.get(host, (-1.0, []))
        if expires_at < time.monotonic():
            task = self._pending.get(host)
            if task is None:
                task = self._pending[host] = asyncio.create_task(self._resolve(host))
            found = await asyncio.shield(task)  # who gives up does not take the answer from the others
        if isinstance(found, BadItem):
            raise BadItem(found.reason, found.message)
        return found

    async def _resolve(self, host: str) -> list[str] | BadItem:
        found: list[str] | BadItem
        try:
            found = await self._lookup(host) or BadItem("dns", f"{host} has no address")
        except (OSError, UnicodeError) as error:
            found = BadItem("dns", f"{host} cannot be resolved: {getattr(error, 'strerror', None) or error}")
        finally:
            del self._pending[host]
        ttl = NEGATIVE_TTL_S if isinstance(found, BadItem) else TTL_S
        self._known[host] = (time.monotonic() + ttl, found)
        self._known.move_to_end(host)
        if len(self._known) > _NAMES:
            self._known.popitem(last=False)
        return found

    async def _getaddrinfo(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _getaddrinfo, host)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Give up what is being looked up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Backend(httpcore2.AsyncNetworkBackend):
    """Connects to permitted addresses only.

    Args:
        resolver: finds the addresses.
        permits: whether an IP address may be asked.
    """

    def __init__(self, resolver: Resolver, permits: Callable[[str], bool] = is_public) -> None:
        self._resolver = resolver
        self._permits = permits

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 (httpcore2's interface)
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 (httpcore2's interface)
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check, connect: to the first permitted address that answers.

        Raises:
            BadItem: `dns`, `private_address`, `connect`, `timeout`.
        """
        try:
            async with asyncio.timeout(timeout) as clock:
                addresses = await self._resolver.addresses(host)
                permitted = [address for address in addresses if self._permits(address)]
                if not permitted:
                    raise BadItem("private_address", f"{host} is {', '.join(addresses[:3])}: no public address")
                return await _first_of(permitted, host, port, clock.when())
        except TimeoutError as error:
            raise BadItem("timeout", f"no connection to {host} within {timeout:g} s") from error


async def _first_of(addresses: list[str], host: str, port: int, deadline: float | None) -> httpcore2.AsyncNetworkStream:
    """A connection to the first that answers; each gets its share of the time, so that a silent one costs no more."""
    loop = asyncio.get_running_loop()
    failed = "no address"
    for i, address in enumerate(addresses):
        share = None if deadline is None else loop.time() + (deadline - loop.time()) / (len(addresses) - i)
        try:
            async with asyncio.timeout_at(share):
                _, stream = await loop.create_connection(Stream, address, port)
                return stream
        except OSError as error:
            if isinstance(error, TimeoutError) and i == len(addresses) - 1:
                raise
            failed = os.strerror(error.errno) if error.errno else str(error)
    raise BadItem("connect", f"{host} port {port}: {failed}")


class Stream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection, plain or TLS, without a layer in between.

    `timeout` of the methods is not heeded: the deadline of the whole exchange is the caller's. `read` returns all
    that came, more than it was asked for as well: fewer and larger pieces cost less.
    """

    def __init__(self) -> None:
        self._transport = cast(asyncio.Transport, None)
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = False
        self._lost: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] | None = None  # None: the transport takes more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > _PAUSE_BYTES:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Called by asyncio; nothing more is sent on half a connection."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._ended = True
        self._lost = exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self._writers = []

    def resume_writing(self) -> None:
        """Called by asyncio."""
        writers, self._writers = self._writers or [], None
        for writer in writers:
            if not writer.done():
                writer.set_result(None)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (interface)
        """All bytes that came; b"" at the end."""
        while not self._chunks:
            if self._lost is not None:
                raise httpcore2.ReadError(str(self._lost))
            if self._ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._size > _PAUSE_BYTES and not self._ended:
            self._transport.resume_reading()
        self._size = 0
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 (interface)
        """Send; waits while the other side takes nothing."""
        if not buffer:
            return
        if self._ended or self._transport.is_closing():
            raise httpcore2.WriteError("the connection is closed")
        self._transport.write(buffer)
        if self._writers is not None:
            writer = asyncio.get_running_loop().create_future()
            self._writers.append(writer)
            await writer

    async def aclose(self) -> None:
        """Close at once; a polite end of TLS would wait for the other side."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Become a TLS connection.

        Raises:
            BadItem: `tls`, `reset`, `timeout`.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secure = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except ssl.SSLError as error:  # an OSError, as are the two that follow
            raise BadItem("tls", f"{server_hostname}: {error.reason or error}") from error
        except TimeoutError as error:
            raise BadItem("timeout", f"no TLS with {server_hostname} within {timeout:g} s") from error
        except OSError as error:
            raise BadItem("reset", f"{server_hostname} closed the connection during the TLS handshake") from error
        self._transport = cast(asyncio.Transport, secure)
        return self

    def get_extra_info(self, info: str) -> Any:
        """`ssl_object`; `has_ended`; `is_readable` of an idle HTTP/1.1 connection, which then is done with."""
        if info in ("is_readable", "has_ended"):
            has_ended = self._ended or self._transport.is_closing()
            return has_ended or (info == "is_readable" and bool(self._chunks))
        return self._transport.get_extra_info(info)
