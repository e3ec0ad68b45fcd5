"""One request, one answer, and everything that a server, a name or a network can do to it."""

import asyncio
import gzip
import socket
import ssl
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagelake.errors import BadItem
from imagelake.fetch.address import Address, parse_address
from imagelake.fetch.network import Resolver, Stream
from imagelake.fetch.reply import ERROR_BYTES, Reply, Terms
from imagelake.fetch.transport import Transport
from tests.unit.fetch_http2 import Http2, certificate
from tests.unit.fetch_server import Raw, Script, Seen, Tiny, by_path, reply

TERMS = Terms(max_bytes=1 << 20, deadline_s=5.0, connect_s=2.0)


async def ask(server: Tiny, path: str = "/", terms: Terms = TERMS) -> Reply:
    transport = Transport(allow_private=True)
    try:
        return await transport.exchange(parse_address(server.url(path)), [("User-Agent", "test")], terms)
    finally:
        await transport.close()


def answered(answer: "bytes | Script", terms: Terms = TERMS) -> Reply:
    """What comes of one request to a server with this answer."""

    async def main() -> Reply:
        async with Tiny(lambda _: answer) as server:
            return await ask(server, terms=terms)

    return asyncio.run(main())


def reason(got: Reply) -> str | None:
    return got.bad.reason if got.bad else None


def writes(*pieces: bytes, pause_s: float = 0.0, then: Callable[[asyncio.StreamWriter], None] | None = None) -> Script:
    """A script that sends pieces and hangs up."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then is not None:
            then(writer)

    return script


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_an_answer_in_full() -> None:
    async def main() -> tuple[Reply, Tiny]:
        async with Tiny(lambda _: reply(b"picture", 200, "ETag: x", "Set-Cookie: a", "Set-Cookie: b")) as server:
            return await ask(server, "/a?b"), server

    got, server = asyncio.run(main())
    assert (got.status, got.body, got.received, got.bad, got.http_version) == (200, b"picture", 7, None, "HTTP/1.1")
    assert got.header("etag") == "x"
    assert got.headers["set-cookie"] == ["a", "b"]
    assert got.header("none") is None
    assert 0 < (got.first_byte_ms or 0) <= got.elapsed_ms < 5000
    assert server.log[0].path == "/a?b"
    assert server.log[0].headers == {"host": f"127.0.0.1:{server.port}", "user-agent": "test"}


def test_connections_are_kept_and_used_one_request_at_a_time() -> None:
    async def main() -> Tiny:
        async with Tiny(lambda _: reply(b"x" * 1000), work_s=0.01) as server:
            transport = Transport(allow_private=True)
            for _ in range(5):
                address = parse_address(server.url())
                await asyncio.gather(*(transport.exchange(address, [], TERMS) for _ in range(4)))
            await transport.close()
            return server

    server = asyncio.run(main())
    assert len(server.log) == 20
    assert server.connections == server.most == 4


def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    async def main() -> list[str | None]:
        async with Tiny(lambda _: writes(reply(b"x"))) as server:  # says keep-alive, hangs up
            transport = Transport(allow_private=True)
            found = []
            for _ in range(5):
                found.append(reason(await transport.exchange(parse_address(server.url()), [], TERMS)))
                await asyncio.sleep(0.02)
            await transport.close()
            return found

    assert asyncio.run(main()) == [None] * 5


def test_connections_of_many_hosts_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagelake.fetch.transport._ORIGINS", 3)

    async def main() -> int:
        async with Tiny(lambda _: reply(b"x"), host="0.0.0.0") as server:
            transport = Transport(allow_private=True)
            for i in range(1, 30):
                address = parse_address(f"http://127.0.0.{i}:{server.port}/")
                assert reason(await transport.exchange(address, [], TERMS)) is None
            await asyncio.sleep(0.05)
            still = len(server._tasks)
            await transport.close()
            return still

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize("length", ["Content-Length: 10000000000", "Transfer-Encoding: chunked", "Connection: close"])
def test_a_body_of_10_gb_costs_no_more_than_the_cap(length: str) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        block = b"%x\r\n%s\r\n" % (1 << 16, bytes(1 << 16)) if "chunked" in length else bytes(1 << 16)
        while sent < 10_000_000_000:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    got = answered(endless, Terms(300_000, 5.0))
    assert reason(got) == "too_large"
    assert got.status == 200
    assert got.body == b""
    assert got.received < 300_000 + (2 << 20)
    assert sent < 20_000_000  # what the buffers of two sockets take
    if "Length" in length:
        assert got.received == 0


def test_a_body_of_just_the_cap() -> None:
    assert answered(reply(b"x" * 1000), Terms(1000, 5.0)).body == b"x" * 1000
    assert reason(answered(reply(b"x" * 1001), Terms(1000, 5.0))) == "too_large"
    got = answered(reply(b"x" * 1001), Terms(1000, 5.0, is_cut=True))
    assert (reason(got), got.body) == (None, b"x" * 1000)


def test_of_an_error_only_the_beginning_is_read() -> None:
    got = answered(reply(b"x" * (ERROR_BYTES * 3), 404))
    assert (got.status, reason(got), len(got.body)) == (404, None, ERROR_BYTES)


def test_a_slow_drip_ends_at_the_deadline() -> None:
    drip = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1000, pause_s=0.05)
    got = answered(drip, Terms(1 << 20, 0.4))
    assert reason(got) == "timeout"
    assert got.status == 200
    assert 350 < got.elapsed_ms < 1000
    assert 3 <= got.received <= 9
    head = writes(*(bytes([byte]) for byte in reply(b"x" * 100)), pause_s=0.05)
    got = answered(head, Terms(1 << 20, 0.2))
    assert (reason(got), got.status) == ("timeout", None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (writes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 99), "truncated"),
        (writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n"), "truncated"),
        (writes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", pause_s=0.05, then=reset), "reset"),
        (writes(b"HTTP/1.1 200 OK\r\n\r\nxxxx", pause_s=0.05, then=reset), "reset"),
        (writes(then=reset), "reset"),
        (writes(), "reset"),
        (writes(b"HTTP/1.1 200 OK\r\nContent-Le"), "reset"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "bad_reply"),
        (writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", pause_s=0.1), "bad_reply"),
        (writes(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, pause_s=0.1), "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "bad_reply"),
        (reply(b"x", 200, "Content-Encoding: br"), "content_encoding"),
        (reply(b"not gzip", 200, "Content-Encoding: gzip"), "content_encoding"),
        (reply(gzip.compress(b"x" * 999)[:-9], 200, "Content-Encoding: gzip"), "truncated"),
        (reply(b"x", 200, "Content-Encoding: gzip, gzip"), "content_encoding"),
        (writes(b"HTTP/1.1 200 OK\r\n\r\nto the end"), None),
        (reply(b"", 204), None),
        (writes(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(b"x")), None),
    ],
)
def test_what_servers_do(answer: "bytes | Script", expected: str | None) -> None:
    got = answered(answer)
    assert reason(got) == expected
    assert got.elapsed_ms < 2000
    if got.bad:
        assert "\n" not in got.bad.message


def test_an_answer_that_switches_protocols_does_not_hang() -> None:
    got = answered(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Terms(100, 1.0))
    assert got.status in (None, 101)
    assert got.elapsed_ms < 1500


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("X-GZip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
def test_compressed_bodies(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = bytes(range(256)) * 1000
    packed = pack(body)
    got = answered(reply(packed, 200, f"Content-Encoding: {encoding}"))
    assert got.bad is None
    assert got.body == body
    assert got.received == len(packed)
    assert answered(reply(b"", 200, f"Content-Encoding: {encoding}")).bad is None
    assert answered(reply(b"x", 200, "Content-Encoding: identity")).body == b"x"


def test_a_gzip_bomb_stops_at_the_cap() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert len(bomb) < 60_000
    tracemalloc.start()
    got = answered(reply(bomb, 200, "Content-Encoding: gzip"))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (reason(got), got.body) == ("too_large", b"")
    assert most_bytes < 10 << 20
    cut = answered(reply(bomb, 200, "Content-Encoding: gzip"), Terms(500_000, 5.0, is_cut=True))
    assert (reason(cut), cut.body) == (None, bytes(500_000))


def test_the_judge_of_the_head_ends_it_before_the_body() -> None:
    async def main() -> Reply:
        async with Tiny(lambda _: writes(b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 9\r\n\r\n", pause_s=3)) as server:
            transport = Transport(allow_private=True)
            refuse = BadItem("opted_out", "noai")
            address = parse_address(server.url())
            got = await transport.exchange(address, [], TERMS, lambda status, headers: refuse if headers["x"] else None)
            await transport.close()
            return got

    got = asyncio.run(main())
    assert (reason(got), got.status, got.received) == ("opted_out", 200, 0)
    assert got.elapsed_ms < 1000


# Names and addresses


def exchange(url: str, **options: object) -> Reply:
    async def main() -> Reply:
        transport = Transport(**options)  # type: ignore[arg-type]
        try:
            return await transport.exchange(parse_address(url), [], Terms(1 << 20, 3.0, 1.0))
        finally:
            await transport.close()

    return asyncio.run(main())


def resolver(*answers: list[str] | OSError) -> Resolver:
    """Gives these answers one after another, the last one forever."""
    left = list(answers)

    async def lookup(host: str) -> list[str]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, OSError):
            raise answer
        return answer

    return Resolver(lookup)


@asynccontextmanager
async def servers_at(hosts: list[str], *headers: str) -> AsyncIterator[list[Tiny]]:
    """Servers on the same port of several addresses."""
    async with AsyncExitStack() as stack:
        servers: list[Tiny] = []
        for host in hosts:
            port = servers[0].port if servers else 0
            server = Tiny(lambda _: reply(b"x", 200, *headers), host=host, port=port)
            servers.append(await stack.enter_async_context(server))
        yield servers


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "0",
     "169.254.169.254", "10.0.0.1", "[::]", "[64:ff9b::7f00:1]"],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_spelled(host: str) -> None:
    async def main() -> tuple[Reply, int]:
        async with Tiny(lambda _: reply(b"secret")) as server:
            transport = Transport()
            got = await transport.exchange(parse_address(f"http://{host}:{server.port}/"), [], TERMS)
            await transport.close()
            return got, server.connections

    got, connections = asyncio.run(main())
    assert (reason(got), got.status, connections) == ("private_address", None, 0)


def test_a_name_of_a_private_address_is_refused() -> None:
    for found in (["10.0.0.1"], ["::1", "127.0.0.1"], ["169.254.169.254"], ["::ffff:192.168.0.1"]):
        assert reason(exchange("http://rebind.example/", resolver=resolver(found))) == "private_address"


def test_rebinding_between_requests_is_refused() -> None:
    """The name is public first and private then: no connection to the second, whatever came before."""

    async def main() -> list[tuple[str | None, int]]:
        async with servers_at(["127.0.0.2", "127.0.0.1"], "Connection: close") as (public, private):
            names = resolver(["127.0.0.2"], ["127.0.0.1"])
            transport = Transport(resolver=names, permits=lambda ip: ip == "127.0.0.2")
            address = parse_address(f"http://rebind.example:{public.port}/")
            found = []
            for _ in range(2):
                found.append((reason(await transport.exchange(address, [], TERMS)), private.connections))
                names._known.clear()  # as if the time to live were over
            await transport.close()
            assert public.connections == 1
            return found

    assert asyncio.run(main()) == [(None, 0), ("private_address", 0)]


def test_of_several_addresses_only_permitted_ones_are_tried_in_their_order() -> None:
    async def main() -> tuple[Reply, int]:
        async with servers_at(["127.0.0.3", "127.0.0.1"]) as (server, private):
            names = resolver(["127.0.0.1", "127.0.0.2", "127.0.0.3"])  # nobody listens at .2
            transport = Transport(resolver=names, permits=lambda ip: ip != "127.0.0.1")
            got = await transport.exchange(parse_address(f"http://name.example:{server.port}/"), [], TERMS)
            await transport.close()
            return got, private.connections

    got, private = asyncio.run(main())
    assert (reason(got), got.body, private) == (None, b"x", 0)


def test_a_refused_connection() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert reason(exchange(f"http://127.0.0.1:{port}/", allow_private=True)) == "connect"
    assert reason(exchange("http://name.example/", resolver=resolver([]), allow_private=True)) == "dns"


def test_a_silent_address_and_a_silent_name_server_time_out() -> None:
    async def silent(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    got = exchange("http://name.example/", resolver=Resolver(silent))
    assert (reason(got), got.elapsed_ms < 2000) == ("timeout", True)
    with socket.socket() as full:  # nobody accepts, and the queue is full
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        got = exchange(f"http://127.0.0.1:{full.getsockname()[1]}/", allow_private=True)
        assert (reason(got), got.elapsed_ms < 2000) == ("timeout", True)
        for filler in fillers:
            filler.close()


def test_a_silent_address_leaves_time_for_the_next() -> None:
    async def main() -> Reply:
        with socket.socket() as full:  # nobody accepts, and the queue is full
            full.bind(("127.0.0.2", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", port))
            async with Tiny(lambda _: reply(b"x"), host="127.0.0.3", port=port) as server:
                transport = Transport(resolver=resolver(["127.0.0.2", "127.0.0.3"]), allow_private=True)
                address = parse_address(f"http://name.example:{server.port}/")
                got = await transport.exchange(address, [], Terms(100, 5.0, 0.6))
                await transport.close()
            for filler in fillers:
                filler.close()
            return got

    got = asyncio.run(main())
    assert (reason(got), got.body) == (None, b"x")
    assert 250 < got.elapsed_ms < 550


def test_what_nobody_reads_does_not_pile_up() -> None:
    async def main() -> int:
        async with Raw(bytes(20 << 20)) as server:
            _, stream = await asyncio.get_running_loop().create_connection(Stream, "127.0.0.1", server.port)
            await asyncio.sleep(0.1)
            waiting = stream._size
            got = 0
            while got < 20 << 20:
                got += len(await stream.read(1))
            await stream.aclose()
            return waiting

    assert (1 << 20) < asyncio.run(main()) < (2 << 20)


def recorded(asked: list[str]) -> Resolver:
    """Knows every name but none.example, and notes what it is asked for."""

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        await asyncio.sleep(0.02)
        if host == "none.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["1.2.3.4"]

    return Resolver(lookup)


def test_askers_of_one_name_share_a_look_up() -> None:
    async def main() -> None:
        asked: list[str] = []
        names = recorded(asked)
        first = asyncio.create_task(names.addresses("some.example"))
        rest = [asyncio.create_task(names.addresses("some.example")) for _ in range(10)]
        await asyncio.sleep(0.01)
        first.cancel()  # does not take the answer from the others
        assert await asyncio.gather(*rest) == [["1.2.3.4"]] * 10
        assert asked == ["some.example"]
        assert await names.addresses("::1") == ["::1"]

    asyncio.run(main())


def test_names_are_kept_and_failures_forgotten_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imagelake.fetch.network.time", SimpleNamespace(monotonic=lambda: now))
    asked: list[str] = []

    async def ask_both(names: Resolver) -> list[str]:
        asked.clear()
        assert await names.addresses("some.example") == ["1.2.3.4"]
        with pytest.raises(BadItem, match=r"dns.*none\.example cannot be resolved: Name or service not known"):
            await names.addresses("none.example")
        return asked[:]

    async def main() -> None:
        nonlocal now
        names = recorded(asked)
        assert await ask_both(names) == ["some.example", "none.example"]
        assert await ask_both(names) == []
        now = 11.0
        assert await ask_both(names) == ["none.example"]
        now = 301.0
        assert await ask_both(names) == ["some.example", "none.example"]

    asyncio.run(main())


def test_the_system_resolves_names() -> None:
    async def main() -> list[str]:
        names = Resolver()
        with pytest.raises(BadItem, match="dns"):
            await names.addresses("no-such-name.invalid")
        found = await names.addresses("localhost")
        names.close()
        return found

    assert "127.0.0.1" in asyncio.run(main())


# TLS and HTTP/2


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def secure(contexts: Contexts, body: Callable[[Transport], Awaitable[None]]) -> None:
    async def main() -> None:
        transport = Transport(allow_private=True, ssl_context=contexts[1])
        await body(transport)
        await transport.close()

    asyncio.run(main())


def test_https(contexts: Contexts) -> None:
    async def body(transport: Transport) -> None:
        async with Tiny(lambda _: reply(b"x" * 500_000), tls=contexts[0]) as server:
            for _ in range(3):
                got = await transport.exchange(parse_address(server.url()), [], TERMS)
                assert (got.bad, len(got.body), got.http_version) == (None, 500_000, "HTTP/1.1")
            assert server.connections == 1

    secure(contexts, body)


def test_certificates_are_checked(contexts: Contexts, tmp_path: Path) -> None:
    async def body(transport: Transport) -> None:
        async with Tiny(lambda _: reply(b"x"), tls=contexts[0]) as server:
            other_name = parse_address(f"https://other.example:{server.port}/")
            stranger = Transport(allow_private=True)  # trusts the system's authorities only
            assert reason(await stranger.exchange(parse_address(server.url()), [], TERMS)) == "tls"
            await stranger.close()
            named = Transport(resolver=resolver(["127.0.0.1"]), allow_private=True, ssl_context=contexts[1])
            got = await named.exchange(other_name, [], TERMS)
            assert reason(got) == "tls"
            await named.close()
        async with Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as plain:
            address = parse_address(f"https://127.0.0.1:{plain.port}/")
            assert reason(await transport.exchange(address, [], TERMS)) == "tls"

    secure(contexts, body)


def test_a_server_that_never_answers_the_handshake(contexts: Contexts) -> None:
    async def body(transport: Transport) -> None:
        async with Raw(b"") as silent:
            address = parse_address(f"https://127.0.0.1:{silent.port}/")
            got = await transport.exchange(address, [], Terms(100, 3.0, 0.2))
            assert (reason(got), got.elapsed_ms < 1000) == ("timeout", True)
            await asyncio.sleep(0.02)
            assert silent.lost == 1

    secure(contexts, body)


def http2_address(server: Http2, path: str) -> Address:
    return parse_address(f"https://127.0.0.1:{server.port}{path}")


def test_http2_where_it_is_offered(contexts: Contexts) -> None:
    async def body(transport: Transport) -> None:
        async with Http2(contexts[0]) as server:
            await transport.exchange(http2_address(server, "/1"), [], TERMS)
            got = await asyncio.gather(
                *(transport.exchange(http2_address(server, "/500000"), [("User-Agent", "t")], TERMS) for _ in range(8))
            )
            assert all((g.bad, len(g.body), g.http_version) == (None, 500_000, "HTTP/2") for g in got)
            assert server.connections == 1
            assert server.paths == ["/1"] + ["/500000"] * 8

    secure(contexts, body)


def test_http2_faults(contexts: Contexts) -> None:
    async def body(transport: Transport) -> None:
        async with Http2(contexts[0]) as server:
            for path, expected in (
                ("/reset", "reset"),
                ("/hangup", "reset"),
                ("/cut", "truncated"),
                ("/short", "truncated"),
                ("/status", "bad_reply"),
                ("/2000000", "too_large"),
                ("/endless", "too_large"),
                ("/5", None),
            ):
                got = await transport.exchange(http2_address(server, path), [], TERMS)
                assert (path, reason(got)) == (path, expected)

    secure(contexts, body)


def test_what_is_given_up_over_http2_does_not_choke_the_others(contexts: Contexts) -> None:
    """Twenty bodies of 3 MB given up: more than the window of a connection."""

    async def body(transport: Transport) -> None:
        async with Http2(contexts[0]) as server:
            await transport.exchange(http2_address(server, "/1"), [], TERMS)
            slow = asyncio.create_task(transport.exchange(http2_address(server, "/slow"), [], TERMS))
            await asyncio.sleep(0.05)
            for _ in range(20):
                got = await transport.exchange(http2_address(server, "/endless"), [], Terms(100_000, 5.0))
                assert reason(got) == "too_large"
            assert (await slow).body == b"slow"
            for _ in range(3):
                assert (await transport.exchange(http2_address(server, "/300000"), [], TERMS)).bad is None
            assert len(server.open) <= 2

    secure(contexts, body)


def test_an_http2_connection_that_the_server_ended_is_not_used(contexts: Contexts) -> None:
    async def body(transport: Transport) -> None:
        async with Http2(contexts[0]) as server:
            for _ in range(3):
                got = await transport.exchange(http2_address(server, "/goodbye"), [], TERMS)
                assert got.bad is None
                await asyncio.sleep(0.05)
            assert server.connections == 3

    secure(contexts, body)


def test_by_path_is_what_the_other_tests_think() -> None:
    answer = by_path(a=b"1")
    assert answer(Seen(0, "/a/b?c", {}, 1)) == b"1"
