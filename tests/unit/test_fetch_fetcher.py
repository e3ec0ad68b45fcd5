"""Items: robots, opt-outs, redirects, retries, refreshes, contents, and what becomes of each in its rows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest

from imagelake.errors import UsageError
from imagelake.fetch.address import host_key
from imagelake.fetch.fetcher import Attempt, Fetcher, Rerouted, Settings, Want, user_agent
from imagelake.fetch.transport import Transport
from imagelake.lake.tables import table_def
from tests.conftest import jpeg
from tests.unit.fetch_server import Answer, Seen, Tiny, by_path, redirect, reply

PICTURE = jpeg(1)
GOOD = reply(PICTURE, 200, "Content-Type: image/jpeg", 'ETag: "v1"', "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT")
PAGE = b"<!DOCTYPE html><html><head>%s</head><body>words</body></html>"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts are measured in the tests of retry.py."""
    monkeypatch.setattr("imagelake.fetch.fetcher.backoff_s", lambda attempt, rng: 0.01 * attempt)


def settings(**changes: Any) -> Settings:
    return Settings(**{"user_agent": "imagelake/1", "rate_per_s": 1000.0, "allow_private": True} | changes)


def run(answer: Answer, body: Callable[[Tiny, Fetcher], Awaitable[None]], **changes: Any) -> Tiny:
    async def main() -> Tiny:
        async with Tiny(answer) as server:
            fetcher = Fetcher(settings(**changes))
            try:
                await asyncio.wait_for(body(server, fetcher), 20)
            finally:
                await fetcher.close()
            return server

    return asyncio.run(main())


def rows_of(answer: Answer, path: str = "/a", want: dict[str, Any] | None = None, **changes: Any) -> list[Attempt]:
    """The rows of one item; `want` has other fields than the address."""
    found: list[Attempt] = []

    async def body(server: Tiny, fetcher: Fetcher) -> None:
        url = server.url(path)
        rows = await fetcher.fetch(Want(url, f"media of {path}", **want or {}))
        assert isinstance(rows, list)
        found.extend(rows)

    run(answer, body, **changes)
    assert [row.attempt for row in found] == list(range(1, len(found) + 1))
    assert all(row.outcome == "retried" for row in found[:-1])
    assert all((row.body is not None) == (row.outcome == "stored") for row in found)
    assert all((row.reason is None) == (row.outcome in ("stored", "not_modified")) for row in found)
    return found


def last(answer: Answer, path: str = "/a", want: dict[str, Any] | None = None, **changes: Any) -> Attempt:
    return rows_of(answer, path, want, **changes)[-1]


def test_a_picture() -> None:
    server: list[Tiny] = []

    async def body(tiny: Tiny, fetcher: Fetcher) -> None:
        server.append(tiny)
        before = datetime.now(UTC)
        url = tiny.url("/a?b#c")
        rows = await fetcher.fetch(Want(url, "media"))
        assert isinstance(rows, list)
        (row,) = rows
        assert (row.url, row.media_url, row.host) == (url, "media", f"127.0.0.1:{tiny.port}")
        assert (row.attempt, row.outcome, row.reason, row.message) == (1, "stored", None, None)
        assert (row.http_status, row.final_url, row.redirects) == (200, tiny.url("/a?b"), 0)
        assert (row.body, row.bytes) == (PICTURE, len(PICTURE))
        assert (row.http_version, row.content_type, row.etag) == ("HTTP/1.1", "image/jpeg", '"v1"')
        assert row.last_modified == "Sat, 01 Jan 2000 00:00:00 GMT"
        assert 0 < (row.first_byte_ms or 0) <= row.elapsed_ms < 1000
        assert before <= row.fetched_at <= datetime.now(UTC)
        assert row.retry_after_s is None

    run(by_path(a=GOOD), body)
    assert server[0].paths() == ["/robots.txt", "/a?b"]
    assert server[0].log[1].headers["user-agent"] == "imagelake/1"
    assert server[0].log[1].headers["accept-encoding"] == "identity"
    assert "if-none-match" not in server[0].log[1].headers


def test_an_attempt_is_a_row_of_the_table() -> None:
    columns = set(table_def("fetches").schema.names)
    assert {field.name for field in fields(Attempt)} == columns - {"run_id", "image_id"} | {"body"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"gone", 404), "http_404"),
        (reply(b"no", 403), "http_403"),
        (reply(b"", 501), "http_501"),
        (reply(PICTURE, 206), "http_206"),
        (reply(b"", 300), "http_300"),
        (reply(b"", 304), "http_304"),
        (reply(b"", 302), "http_302"),
        (reply(b"", 200), "empty"),
        (reply(PAGE % b"", 200, "Content-Type: image/jpeg"), "html"),
        (reply(b'{"error": 1}', 200), "json"),
        (reply(b"words", 200), "not_an_image"),
        (reply(bytes(2000), 200), "too_large"),
        (reply(b"x", 200, "Content-Encoding: br"), "content_encoding"),
        (b"nonsense\r\n\r\n", "bad_reply"),
        (redirect("ftp://example.org/"), "bad_scheme"),
        (redirect("http://user@example.org/"), "bad_url"),
    ],
)
def test_what_is_not_tried_again(answer: bytes, reason: str) -> None:
    rows = rows_of(by_path(a=answer), max_bytes=1999)
    assert [row.reason for row in rows] == [reason]
    assert rows[0].message


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(status: int) -> None:
    answers = [reply(b"later", status)] * 2 + [GOOD]
    rows = rows_of(lambda seen: answers.pop(0) if seen.path == "/a" else reply(b"", 404))
    assert [(row.outcome, row.reason) for row in rows] == [("retried", f"http_{status}")] * 2 + [("stored", None)]
    assert [row.http_status for row in rows] == [status, status, 200]


def test_broken_bodies_and_silence_are_tried_again_to_the_last_attempt() -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD[:-100])
        await writer.drain()

    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(9)

    rows = rows_of(lambda seen: half if seen.path == "/a" else reply(b"", 404), attempts=3)
    assert [(row.outcome, row.reason) for row in rows] == [("retried", "truncated")] * 2 + [("failed", "truncated")]
    assert all(row.bytes == len(PICTURE) - 100 for row in rows)
    rows = rows_of(lambda seen: never if seen.path == "/a" else reply(b"", 404), attempts=2, deadline_s=0.1)
    assert [(row.outcome, row.reason) for row in rows] == [("retried", "timeout"), ("failed", "timeout")]
    assert all(100 <= row.elapsed_ms < 400 for row in rows)
    rows = rows_of(by_path(), "/a", attempts=1)
    assert [row.reason for row in rows] == ["http_404"]


def test_bad_addresses_never_raise() -> None:
    async def body(server: Tiny, fetcher: Fetcher) -> None:
        for url, reason in (
            ("ftp://example.org/", "bad_scheme"),
            ("no address", "bad_url"),
            ("http://no-such-name.invalid/", "dns"),
            ("http://127.0.0.9:1/", "connect"),
        ):
            rows = await fetcher.fetch(Want(url, "m"))
            assert isinstance(rows, list)
            assert [row.reason for row in rows] == [reason] * len(rows)
            assert rows[-1].outcome == "failed"
            assert (rows[-1].http_status, rows[-1].final_url, rows[-1].url) == (None, None, url)
            assert rows[-1].host == host_key(url)

    run(by_path(), body, attempts=2)


# Redirects


def test_redirects_are_followed_and_counted() -> None:
    row = last(by_path(a=redirect("/b?x"), b=redirect("//127.0.0.1:{port}/c", 308), c=GOOD))
    assert row.reason == "bad_url"  # the port was none
    row = last(by_path(a=redirect("/b?x", 301), b=redirect("c", 307), c=GOOD))
    assert (row.outcome, row.redirects, row.http_status) == ("stored", 2, 200)
    assert row.url.endswith("/a")
    assert (row.final_url or "").endswith("/c")


def test_redirects_without_end() -> None:
    row = last(by_path(a=redirect("/b"), b=redirect("/a")))
    assert (row.outcome, row.reason, row.redirects) == ("failed", "redirect_loop", 2)
    assert last(by_path(a=redirect("/a#x"))).reason == "redirect_loop"
    row = last(lambda seen: redirect(seen.path + "a"), robots=False)
    assert (row.reason, row.redirects) == ("too_many_redirects", 6)
    row = last(lambda seen: redirect(seen.path + "a") if len(seen.path) < 7 else GOOD, robots=False)
    assert (row.outcome, row.redirects) == ("stored", 5)
    assert last(by_path(a=redirect("/b"), b=GOOD), max_redirects=0).reason == "too_many_redirects"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/b", "http://2130706433:{port}/b", "http://[::ffff:127.0.0.1]:{port}/b",
               "http://169.254.169.254/latest/meta-data/"],
)  # fmt: skip
def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    async def main() -> tuple[Any, list[str]]:
        async with Tiny(lambda _: reply(b"secret")) as private:
            to = redirect(target.format(port=private.port))
            async with Tiny(by_path(a=to), host="127.0.0.2") as public:
                transport = Transport(permits=lambda ip: ip == "127.0.0.2")
                fetcher = Fetcher(settings(), transport=transport)
                rows = await fetcher.fetch(Want(public.url("/a"), "m"))
                await fetcher.close()
                return rows, private.paths()

    rows, paths = asyncio.run(main())
    assert [(row.reason, row.redirects) for row in rows] == [("private_address", 1)]
    assert paths == []


def test_private_addresses_are_refused_by_default() -> None:
    row = last(by_path(a=GOOD), allow_private=False)
    assert (row.outcome, row.reason, row.http_status) == ("failed", "private_address", None)


def test_the_deadline_is_for_all_hops_together() -> None:
    server = Tiny(lambda seen: redirect(seen.path + "a"), work_s=0.15)

    async def main() -> Any:
        async with server:
            fetcher = Fetcher(settings(robots=False, deadline_s=0.4, attempts=1, max_redirects=20))
            rows = await fetcher.fetch(Want(server.url("/a"), "m"))
            await fetcher.close()
            return rows

    (row,) = asyncio.run(main())
    assert (row.reason, row.redirects) == ("timeout", 2)
    assert 400 <= row.elapsed_ms < 700


# Robots and opt-outs


def test_what_robots_forbids_is_not_asked_for() -> None:
    rules = reply(b"User-agent: imagelake\nDisallow: /b\n")
    answer = {"/robots.txt": rules, "/a": redirect("/b/c"), "/b/c": GOOD}

    async def body(server: Tiny, fetcher: Fetcher) -> None:
        rows = await fetcher.fetch(Want(server.url("/b/c"), "m"))
        assert isinstance(rows, list)
        assert [(row.outcome, row.reason, row.http_status) for row in rows] == [("failed", "robots", None)]
        rows = await fetcher.fetch(Want(server.url("/a"), "m"))
        assert isinstance(rows, list)
        assert [(row.reason, row.http_status, row.redirects) for row in rows] == [("robots", 302, 1)]

    server = run(lambda seen: answer[seen.path], body)
    assert server.paths() == ["/robots.txt", "/a"]
    assert last(lambda seen: answer[seen.path], robots=False).outcome == "stored"


def test_an_unreachable_robots_txt_is_a_failure_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagelake.fetch.robots.RETRY_S", 0.0)
    answers = [reply(b"", 500), reply(b"", 404), GOOD]
    rows = rows_of(lambda _: answers.pop(0))
    assert [(row.outcome, row.reason) for row in rows] == [("retried", "robots_unreachable"), ("stored", None)]


def test_an_opt_out_in_the_head_ends_it_before_the_body() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Robots-Tag: all\r\nX-Robots-Tag: otherbot: nofollow, noai\r\n")
        writer.write(b"X-Robots-Tag: NoImageAI\r\nContent-Length: 99999999\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(9)

    row = last(lambda seen: endless if seen.path == "/a" else reply(b"", 404))
    assert (row.reason, row.message, row.http_status) == ("opted_out", "X-Robots-Tag: noimageai", 200)
    assert row.bytes == 0
    tagged = by_path(a=reply(PICTURE, 200, "X-Robots-Tag: noai"), b=reply(b"", 404, "X-Robots-Tag: noindex"))
    assert last(tagged, opt_out=False).outcome == "stored"
    assert last(tagged, "/b").reason == "http_404"
    for_others = by_path(a=reply(PICTURE, 200, "X-Robots-Tag: otherbot: noai"))
    assert last(for_others).outcome == "stored"
    for_us = by_path(a=reply(PICTURE, 200, "X-Robots-Tag: imagelake: noai"))
    assert last(for_us).reason == "opted_out"


def test_an_opt_out_in_a_page_that_is_sent_for_a_picture() -> None:
    page = reply(PAGE % b'<meta name="robots" content="noimageai">')
    assert last(by_path(a=page)).reason == "opted_out"
    assert last(by_path(a=page), opt_out=False).reason == "html"


def test_pages_are_looked_at_once_before_their_pictures() -> None:
    against = reply(PAGE % b'<meta name="robots" content="noai">')
    answers = {
        "/no": against,
        "/header": reply(PAGE % b"", 200, "X-Robots-Tag: noml"),
        "/moved": redirect("/no"),
        "/yes": reply(PAGE % b""),
        "/loop": redirect("/loop"),
        "/long": reply(PAGE % b'<meta name="robots" content="noai">' + b"x" * (2 << 20)),
        "/a": GOOD,
        "/b": GOOD,
    }
    expected = dict.fromkeys(("/no", "/header", "/moved", "/long"), "opted_out")

    async def body(server: Tiny, fetcher: Fetcher) -> None:
        for path in ("/no", "/header", "/moved", "/yes", "/missing", "/loop", "/long"):
            wants = [Want(server.url(name), "m", page_url=server.url(path)) for name in ("/a", "/b")]
            for rows in await asyncio.gather(*map(fetcher.fetch, wants)):
                assert isinstance(rows, list)
                assert (path, rows[-1].reason) == (path, expected.get(path))
                assert rows[-1].redirects == 0
        rows = await fetcher.fetch(Want(server.url("/a"), "m", page_url="no address"))
        assert isinstance(rows, list)
        assert rows[-1].outcome == "stored"

    server = run(lambda seen: answers.get(seen.path, reply(b"", 404)), body, check_pages=True)
    paths = server.paths()
    assert all(paths.count(path) == 1 for path in ("/no", "/header", "/moved", "/yes", "/missing", "/loop", "/long"))
    assert paths.count("/a") == 4

    async def unchecked(server: Tiny, fetcher: Fetcher) -> None:
        rows = await fetcher.fetch(Want(server.url("/a"), "m", page_url=server.url("/no")))
        assert isinstance(rows, list)
        assert rows[-1].outcome == "stored"

    assert "/no" not in run(lambda seen: answers.get(seen.path, reply(b"", 404)), unchecked).paths()


# Waiting


def times(server: Tiny) -> list[float]:
    return [seen.at for seen in server.log if seen.path != "/robots.txt"]


@pytest.mark.parametrize("is_date", [False, True])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_closes_the_host_for_every_item(status: int, is_date: bool) -> None:
    refused_at = 0.0

    def answer(seen: Seen) -> bytes:
        nonlocal refused_at
        if seen.path == "/robots.txt":
            return reply(b"", 404)
        if not refused_at and seen.path == "/2":
            refused_at = seen.at
            when = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
            return reply(b"slow down", status, f"Retry-After: {format_datetime(when, usegmt=True) if is_date else 1}")
        return GOOD

    retried: list[Attempt] = []

    async def body(server: Tiny, fetcher: Fetcher) -> None:
        for rows in await asyncio.gather(*(fetcher.fetch(Want(server.url(f"/{i}"), "m")) for i in range(8))):
            assert isinstance(rows, list)
            assert rows[-1].outcome == "stored"
            retried.extend(rows[:-1])

    server = run(answer, body, rate_per_s=50.0, concurrency=1)
    later = [at for at in times(server) if at > refused_at]
    assert len(later) == 6
    assert later[0] - refused_at >= 0.95
    assert [(row.reason, row.outcome) for row in retried] == [(f"http_{status}", "retried")]
    assert 0.9 < (retried[0].retry_after_s or 0) <= 2.0


def test_a_host_that_asks_for_a_long_wait_is_given_up() -> None:
    async def body(server: Tiny, fetcher: Fetcher) -> None:
        for i in range(3):
            rows = await fetcher.fetch(Want(server.url(f"/{i}"), "m"))
            assert isinstance(rows, list)
            assert [(row.outcome, row.reason) for row in rows] == [("failed", "http_429")]
            assert rows[0].http_status == (429 if i == 0 else None)
            assert rows[0].retry_after_s == (3600.0 if i == 0 else None)

    answer = reply(b"", 429, "Retry-After: 3600")
    server = run(lambda seen: answer if seen.path != "/robots.txt" else reply(b"", 404), body)
    assert len(times(server)) == 1


def test_rate_and_concurrency_as_the_server_sees_them() -> None:
    async def body(server: Tiny, fetcher: Fetcher) -> None:
        server.work_s = 0.1
        wants = [Want(server.url(f"/a/{i}"), "m") for i in range(12)]
        await asyncio.gather(*map(fetcher.fetch, wants))

    server = run(by_path(a=GOOD), body, rate_per_s=40.0, concurrency=3)
    at = [seen.at for seen in server.log]
    assert len(at) == 13
    assert server.most == 3
    assert server.connections == 3
    assert min(after - before for before, after in pairwise(at)) > 0.015  # 25 ms at the sender


def test_failures_wait_longer_from_attempt_to_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr("imagelake.fetch.fetcher.backoff_s", lambda attempt, rng: waits.append(attempt) or 0.02)
    rows_of(by_path(a=reply(b"", 500)))
    assert waits == [1, 2, 3]


# Refreshes and digests


def test_a_refresh_is_conditional() -> None:
    seen_headers: list[dict[str, str]] = []

    def answer(seen: Seen) -> bytes:
        if seen.path == "/robots.txt":
            return reply(b"", 404)
        seen_headers.append(seen.headers)
        if seen.path == "/a":
            return redirect("/b")
        return reply(b"", 304, 'ETag: "v1"') if seen.headers.get("if-none-match") == '"v1"' else GOOD

    date = "Sat, 01 Jan 2000 00:00:00 GMT"
    row = last(answer, want={"etag": '"v1"', "last_modified": date})
    assert (row.outcome, row.reason, row.http_status, row.body, row.bytes) == ("not_modified", None, 304, None, 0)
    assert row.etag == '"v1"'
    assert [headers["if-modified-since"] for headers in seen_headers] == [date] * 2
    assert last(answer, want={"etag": '"v0"'}).outcome == "stored"
    assert last(answer, want={"etag": '"v1"\r\nHost: evil'}).outcome == "stored"
    assert "if-none-match" not in seen_headers[-1]


def test_the_digest_of_a_list_is_checked() -> None:
    digest = sha256(PICTURE).hexdigest()
    assert last(by_path(a=GOOD), want={"sha256": digest.upper()}).outcome == "stored"
    row = last(by_path(a=GOOD), want={"sha256": "0" * 64})
    assert (row.outcome, row.reason, row.body) == ("failed", "sha256_mismatch", None)
    assert digest in (row.message or "")


# Several workers


def test_a_redirect_to_another_worker_s_host_goes_on_there() -> None:
    """Two workers, each with its host: as if one had done it all, and nobody asks the other's host."""

    async def main() -> None:
        async with Tiny(by_path(), host="127.0.0.2") as there, Tiny(by_path(), host="127.0.0.1") as here:
            here.answer = by_path(a=redirect(there.url("/b")), d=GOOD)
            there.answer = by_path(b=redirect("/c"), c=redirect(here.url("/d")))
            workers = by_host()
            want = Want(here.url("/a"), "media", etag="x")
            first = await workers[0].fetch(want)
            assert isinstance(first, Rerouted)
            assert host_key(first.want.url) == f"127.0.0.2:{there.port}"
            assert (first.attempts, first.want.asked_url, first.want.media_url) == ([], want.url, "media")
            row = {name: value for name, value in vars(first.want).items() if value is not None}
            assert all(isinstance(value, str | int) for value in row.values())
            second = await workers[1].fetch(Want(**row))
            assert isinstance(second, Rerouted)
            third = await workers[0].fetch(second.want)
            assert isinstance(third, list)
            assert [(r.url, r.outcome, r.redirects, r.final_url) for r in third] == [
                (want.url, "stored", 3, here.url("/d"))
            ]
            assert third[0].elapsed_ms > second.want.spent_ms >= first.want.spent_ms
            assert here.paths() == ["/robots.txt", "/a", "/d"]
            assert there.paths() == ["/robots.txt", "/b", "/c"]
            for worker in workers:
                await worker.close()

    asyncio.run(main())


def by_host(**changes: Any) -> list[Fetcher]:
    """Two workers: of 127.0.0.1 and of 127.0.0.2."""
    return [
        Fetcher(settings(**changes), lambda key, host=host: key.startswith(host))  # type: ignore[misc]
        for host in ("127.0.0.1", "127.0.0.2")
    ]


def test_a_failure_behind_a_rerouting_starts_again_at_the_first_host() -> None:
    async def main() -> None:
        async with Tiny(by_path(b=reply(b"", 503)), host="127.0.0.2") as there, Tiny(by_path()) as here:
            here.answer = by_path(a=redirect(there.url("/b")))
            workers = by_host(attempts=2)
            outcome: Any = Rerouted(Want(here.url("/a"), "m"), [])
            attempts = []
            for turn in range(4):
                outcome = await workers[turn % 2].fetch(outcome.want)
                attempts.extend(outcome.attempts if isinstance(outcome, Rerouted) else outcome)
            assert [(row.attempt, row.outcome, row.reason, row.redirects) for row in attempts] == [
                (1, "retried", "http_503", 1),
                (2, "failed", "http_503", 1),
            ]
            for worker in workers:
                await worker.close()

    asyncio.run(main())


def test_a_page_is_looked_at_by_the_worker_of_its_host() -> None:
    async def main() -> None:
        async with Tiny(by_path(p=reply(PAGE % b"")), host="127.0.0.2") as pages, Tiny(by_path(a=GOOD)) as pictures:
            workers = by_host(check_pages=True)
            want = Want(pictures.url("/a"), "m", page_url=pages.url("/p"))
            first: Any = await workers[0].fetch(want)
            assert host_key(first.want.url) == host_key(pages.url())
            second: Any = await workers[1].fetch(first.want)
            assert second.want.url == want.url
            third: Any = await workers[0].fetch(second.want)
            assert [(row.url, row.outcome, row.redirects) for row in third] == [(want.url, "stored", 0)]
            assert pages.paths() == ["/robots.txt", "/p"]
            assert pictures.paths() == ["/robots.txt", "/a"]
            for worker in workers:
                await worker.close()

    asyncio.run(main())


def test_cancelling_passes() -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(9)

    async def body(server: Tiny, fetcher: Fetcher) -> None:
        task = asyncio.create_task(fetcher.fetch(Want(server.url("/a"), "m")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fetcher._limits._total_slots._value == 128

    began = time.monotonic()
    run(lambda seen: never if seen.path == "/a" else reply(b"", 404), body)
    assert time.monotonic() - began < 2


def test_the_name_of_the_client() -> None:
    assert user_agent(None).startswith("imagelake/")
    assert " " not in user_agent(None)
    assert user_agent("https://example.org/bot").endswith(" (+https://example.org/bot)")
    with pytest.raises(UsageError):
        user_agent("a@b.c\r\nX: y")
