"""robots.txt: who may be asked for what, and what when there is none to be had."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from imagelake.errors import BadItem
from imagelake.fetch.address import parse_address
from imagelake.fetch.limits import Limits
from imagelake.fetch.reply import Terms
from imagelake.fetch.robots import MAX_BYTES, Robots, product_token
from imagelake.fetch.transport import Transport
from tests.unit.fetch_server import Answer, Seen, Tiny, redirect, reply

AGENT = "imagelake/0.1 (+someone@example.org)"
Check = Callable[[str], Awaitable[str | None]]


async def with_robots(answer: Answer, body: Callable[[Tiny, Check, Limits], Awaitable[None]]) -> None:
    """Runs the body with a server, what becomes of a path there (None or the reason), and the limits."""
    async with Tiny(answer) as server:
        transport = Transport(allow_private=True)
        limits = Limits(1000.0, 4, max_wait_s=5.0)
        robots = Robots(transport, limits, AGENT, Terms(1, 0.5, 0.5))

        async def check(path: str) -> str | None:
            try:
                await robots.check(parse_address(path if "://" in path else server.url(path)))
            except BadItem as bad:
                return bad.reason
            return None

        await body(server, check, limits)
        await robots.close()
        await transport.close()


def verdicts(answer: "Answer | bytes", *paths: str) -> list[str | None]:
    found: list[str | None] = []

    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        found.extend([await check(path) for path in paths])
        assert server.paths()[0] == "/robots.txt"
        assert server.log[0].headers["user-agent"] == AGENT

    asyncio.run(with_robots((lambda _: answer) if isinstance(answer, bytes) else answer, body))
    return found


def rules(text: str) -> bytes:
    return reply(text.encode(), 200, "Content-Type: text/plain")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [None, None, None]),
        ("User-agent: *\nDisallow: /", ["robots"] * 3),
        ("User-agent: *\nDisallow: /b", [None, "robots", "robots"]),
        ("User-agent: *\nDisallow: /b\nAllow: /b/c", [None, "robots", None]),
        ("User-agent: *\nDisallow: /\n\nUser-agent: ImageLake\nDisallow: /a", ["robots", None, None]),
        ("User-agent: other\nDisallow: /", [None, None, None]),
        ("User-agent: lake\nDisallow: /", [None, None, None]),
        ("User-agent: image\nUser-agent: imagelake\nDisallow: /*.jpg$", ["robots", "robots", "robots"]),
        ("\ufeffUser-agent: *\r\nDisallow: /b/c", [None, None, "robots"]),
        ("<html><body>Not found</body></html>", [None, None, None]),
    ],
)
def test_rules(text: str, expected: list[str | None]) -> None:
    assert verdicts(rules(text), "/a.jpg", "/b.jpg", "/b/c.jpg") == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(b"User-agent: *\nDisallow: /", 404), None),
        (reply(b"", 403), None),
        (reply(b"", 401), None),
        (reply(b"", 410), None),
        (reply(b"", 304), None),
        (reply(b"", 429), "robots_unreachable"),
        (reply(b"", 500), "robots_unreachable"),
        (reply(b"", 503), "robots_unreachable"),
        (b"nonsense\r\n\r\n", "robots_unreachable"),
        (reply(gzip.compress(b"User-agent: *\nDisallow: /"), 200, "Content-Encoding: gzip"), "robots"),
    ],
)
def test_answers_without_rules(answer: bytes, expected: str | None) -> None:
    assert verdicts(answer, "/a", "/b") == [expected] * 2


def test_no_answer_forbids_and_the_host_s_own_fault_is_named() -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(9)

    assert verdicts(lambda _: never, "/a") == ["robots_unreachable"]

    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        assert await check("http://no-such-name.invalid/") == "dns"
        assert await check("http://127.0.0.9:1/") == "connect"
        assert server.log == []

    asyncio.run(with_robots(lambda _: reply(), body))


def test_redirects_are_followed_five_times() -> None:
    def answer(seen: Seen) -> bytes:
        number = 0 if seen.path == "/robots.txt" else int(seen.path[1:])
        return redirect(f"/{number + 1}") if number < last else rules("User-agent: *\nDisallow: /")

    last = 5
    assert verdicts(answer, "/a") == ["robots"]
    last = 6
    assert verdicts(answer, "/a") == [None]
    assert verdicts(lambda seen: redirect("ftp://example.org/"), "/a") == ["robots_unreachable"]


def test_a_redirect_to_a_private_address_is_refused() -> None:
    async def main() -> str:
        async with Tiny(lambda _: redirect("http://127.0.0.1:1/robots.txt"), host="127.0.0.2") as server:
            transport = Transport(permits=lambda ip: ip == "127.0.0.2")
            robots = Robots(transport, Limits(None, 1), AGENT, Terms(1, 1.0))
            with pytest.raises(BadItem) as raised:
                await robots.check(parse_address(server.url()))
            await transport.close()
            assert "no public address" in raised.value.message
            return raised.value.reason

    assert asyncio.run(main()) == "robots_unreachable"


def test_of_a_long_file_the_beginning_counts() -> None:
    lines = "User-agent: *\nDisallow: /a\n" + "# filler\n" * (MAX_BYTES // 8) + "Disallow: /b\n"
    assert verdicts(rules(lines), "/a", "/b") == ["robots", None]


def test_one_request_for_all_who_ask_and_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imagelake.fetch.robots.time", SimpleNamespace(monotonic=lambda: now))

    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        nonlocal now
        server.work_s = 0.05
        first = asyncio.create_task(check("/b"))
        rest = [asyncio.create_task(check("/b")) for _ in range(20)]
        await asyncio.sleep(0.02)
        first.cancel()
        assert await asyncio.gather(*rest) == ["robots"] * 20
        assert len(server.log) == 1
        now = 23 * 3600.0
        assert await check("/b") == "robots"
        assert len(server.log) == 1
        now = 25 * 3600.0
        assert await check("/b") == "robots"
        assert len(server.log) == 2
        assert await check(server.url("/b").replace("127.0.0.1", "127.0.0.2")) == "connect"  # an origin of its own

    asyncio.run(with_robots(lambda _: rules("User-agent: *\nDisallow: /b"), body))


def test_a_failure_counts_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imagelake.fetch.robots.time", SimpleNamespace(monotonic=lambda: now))
    answers = [reply(b"", 503), rules("")]

    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        nonlocal now
        assert [await check("/a"), await check("/b")] == ["robots_unreachable"] * 2
        assert len(server.log) == 1
        now = 10.0
        assert await check("/a") is None

    asyncio.run(with_robots(lambda _: answers.pop(0), body))


@pytest.mark.parametrize(
    ("text", "expected"), [("2.5", 2.5), ("86400", 60.0), ("-1", 0.001), ("nan", 0.001), ("0", 0.001)]
)
def test_crawl_delay_slows_the_host_down(text: str, expected: float) -> None:
    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        assert await check("/a") is None
        assert limits._gates[f"127.0.0.1:{server.port}"].spacing_s == expected

    answer = rules(f"User-agent: *\nCrawl-delay: {text}\n\nUser-agent: other\nCrawl-delay: 9")
    asyncio.run(with_robots(lambda _: answer, body))


def test_retry_after_of_a_robots_txt_closes_the_host() -> None:
    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        assert await check("/a") == "robots_unreachable"
        assert 50 < limits.held_s(f"127.0.0.1:{server.port}") <= 60

    asyncio.run(with_robots(lambda _: reply(b"", 503, "Retry-After: 60"), body))


def test_requests_for_robots_txt_wait_for_their_turns() -> None:
    async def body(server: Tiny, check: Check, limits: Limits) -> None:
        key = f"127.0.0.1:{server.port}"
        limits.hold(key, 0.2, "http_429")
        assert await check("/a") is None
        assert limits.held_s(key) == 0.0
        limits._gates[key].held_until = 0.0
        limits.hold("127.0.0.3:1", 60.0, "http_429")
        assert await check("http://127.0.0.3:1/") == "http_429"
        assert len(server.log) == 1

    asyncio.run(with_robots(lambda _: reply(b"", 404), body))


def test_our_name() -> None:
    assert product_token("imagelake/0.1 (+a@b.c)") == "imagelake"
    assert product_token("My-Bot_x") == "My-Bot_x"
    assert product_token("") == "*"
