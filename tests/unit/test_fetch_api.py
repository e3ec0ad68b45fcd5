"""A provider's API: what is asked for again, what is not, how fast, and that its key never shows."""

import asyncio
import gzip
import json
import logging
import pickle
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count, pairwise
from typing import Any

import pytest

from imagelake.errors import ApiError, UsageError
from imagelake.fetch.api import USER_AGENT, JsonApi
from tests.unit.fetch_server import Answer, Seen, Tiny, in_thread, reply

KEY = "k3y/with+special chars&"
SPELLINGS = (KEY, "k3y%2Fwith%2Bspecial%20chars%26", "k3y%2Fwith%2Bspecial+chars%26")


def as_json(data: Any, status: int = 200, *headers: str) -> bytes:
    return reply(json.dumps(data).encode(), status, "Content-Type: application/json", *headers)


def with_api(answer: Answer, body: Callable[[JsonApi, Tiny], None], **options: Any) -> Tiny:
    with in_thread(Tiny(answer)) as server:
        options = {"secret": ("wskey", KEY), "rate_per_s": 1000.0, "base_wait_s": 0.01} | options
        with JsonApi(server.url("/v2"), **options) as api:
            body(api, server)
        return server


def error_of(answer: Answer, **options: Any) -> tuple[ApiError, Tiny]:
    found: list[ApiError] = []

    def body(api: JsonApi, server: Tiny) -> None:
        with pytest.raises(ApiError) as raised:
            api.get("/record/search.json", [("query", "x")])
        found.append(raised.value)

    server = with_api(answer, body, **options)
    text = "".join([str(found[0]), repr(found[0]), repr(found[0].__dict__), str(found[0].__cause__)])
    assert not [spelling for spelling in SPELLINGS if spelling in text]
    assert "\n" not in str(found[0])
    assert str(found[0]).startswith(f"127.0.0.1:{server.port} /record/search.json: ")
    return found[0], server


def test_a_reply() -> None:
    def body(api: JsonApi, server: Tiny) -> None:
        found = api.get("/search.json", [("query", 'a "b" & ü'), ("qf", "TYPE:IMAGE"), ("qf", "x"), ("cursor", "*+/=")])
        assert found == {"success": True, "items": [1, 2.5, None]}

    server = with_api(lambda _: as_json({"success": True, "items": [1, 2.5, None]}), body)
    (seen,) = server.log
    query = "query=a+%22b%22+%26+%C3%BC&qf=TYPE%3AIMAGE&qf=x&cursor=%2A%2B%2F%3D"
    assert seen.path == f"/v2/search.json?{query}&wskey={SPELLINGS[2]}"
    assert seen.headers["user-agent"] == USER_AGENT
    assert seen.headers["accept-encoding"] == "gzip"


def test_without_a_key_and_without_parameters() -> None:
    server = with_api(lambda _: as_json({}), lambda api, _: api.get("/x"), secret=None)
    assert server.paths() == ["/v2/x"]


def test_the_key_is_blotted_out_of_replies() -> None:
    data = {"apikey": KEY, "items": [{"link": f"http://x/?wskey={SPELLINGS[1]}&a"}, [f"a{SPELLINGS[2]}b"]], KEY: 1}

    def body(api: JsonApi, server: Tiny) -> None:
        assert api.get("/x") == {
            "apikey": "[key]",
            "items": [{"link": "http://x/?wskey=[key]&a"}, ["a[key]b"]],
            "[key]": 1,
        }

    with_api(lambda _: as_json(data), body)
    escaped = reply(b'{"a": "' + "".join(f"\\u{ord(char):04x}" for char in KEY).encode() + b'"}')
    with_api(lambda _: escaped, lambda api, _: None if api.get("/x") == {"a": "[key]"} else pytest.fail("the key"))


def test_compressed_replies() -> None:
    packed = reply(gzip.compress(b'{"a": 1}'), 200, "Content-Encoding: gzip")
    with_api(lambda _: packed, lambda api, _: None if api.get("/x") == {"a": 1} else pytest.fail("not unpacked"))


async def nothing(writer: Any) -> None:
    """Hang up without an answer."""


@pytest.mark.parametrize(
    "fault",
    [
        as_json({"error": "later"}, 429),
        as_json({}, 500),
        reply(b"<html><title>Bad gateway</title></html>", 502),
        as_json({}, 503),
        as_json({}, 504),
        reply(b'{"items": [1, 2'),
        reply(b'{"items": "\xff"}'),
        reply(b"<html><title>Maintenance</title></html>", 200, "Content-Type: text/html"),
        reply(b"[1, 2]"),
        reply(b""),
        reply(b"[" * 100_000),
        as_json({"stat": "busy"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{",
        nothing,
    ],
    ids=count(),
)
def test_what_passes_is_asked_for_again(fault: Any) -> None:
    answers = [fault, fault]

    async def first(writer: Any) -> None:
        answer = answers.pop()
        writer.write(answer if isinstance(answer, bytes) else b"")
        await writer.drain()

    def body(api: JsonApi, server: Tiny) -> None:
        assert api.get("/x") == {"ok": 1}

    server = with_api(
        lambda _: first if answers else as_json({"ok": 1}), body, is_busy=lambda data: data.get("stat") == "busy"
    )
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (as_json({"success": False, "error": f"Invalid API key {KEY}"}, 401), 401, "HTTP 401: Invalid API key [key]"),
        (as_json({"code": "400-SC", "error": "Bad", "message": "cursor\nmark"}, 400), 400, "400: Bad: cursor mark"),
        (as_json({"error": {"message": "nested"}}, 403), 403, "HTTP 403: nested"),
        (reply(b"<HTML><TITLE>Not found</TITLE>" + b"x" * 5000, 404), 404, "HTTP 404: Not found"),
        (reply(b"plain words\x00\xff", 405), 405, "plain words"),
        (reply(b"", 410), 410, "HTTP 410: no message"),
        (reply(b"", 302, f"Location: http://other.example/?wskey={SPELLINGS[1]}"), 302, "HTTP 302: no message"),
        (as_json({}, 501), 501, "HTTP 501"),
    ],
)
def test_a_refusal_is_told_at_once_in_the_server_s_words(answer: bytes, status: int, words: str) -> None:
    error, server = error_of(lambda _: answer)
    assert words in str(error)
    assert error.__dict__["status"] == status
    assert len(server.log) == 1
    assert len(str(error)) < 500


def test_the_parsed_body_of_a_refusal() -> None:
    error, _ = error_of(lambda _: as_json({"success": False, "apikey": KEY, "error": "no"}, 401))
    assert error.__dict__["reply"] == {"success": False, "apikey": "[key]", "error": "no"}
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__
    assert error_of(lambda _: reply(b"<html>", 401))[0].__dict__["reply"] is None


def test_no_half_of_a_key_is_told() -> None:
    for before in range(280, 310, 3):
        error, _ = error_of(lambda _, before=before: reply(b"x" * before + KEY.encode(), 404))  # type: ignore[misc]
        assert "k3y" not in str(error)


def test_the_last_attempt_is_told() -> None:
    error, server = error_of(lambda _: as_json({"error": "over capacity"}, 503), attempts=3)
    assert "HTTP 503: over capacity (3 attempts)" in str(error)
    assert len(server.log) == 3
    error, _ = error_of(lambda _: reply(f"<p>{KEY}".encode()), attempts=2)
    assert "no JSON object: <p>[key]" in str(error)
    assert error.__dict__["status"] == 200
    error, _ = error_of(lambda _: as_json({"stat": "fail", "message": "busy"}), attempts=2, is_busy=lambda _: True)
    assert "busy" in str(error)
    assert error.__dict__["reply"] == {"stat": "fail", "message": "busy"}


def test_an_api_that_does_not_answer() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        JsonApi(f"http://127.0.0.1:{port}", secret=("k", KEY), rate_per_s=100, attempts=2, base_wait_s=0.01) as api,
        pytest.raises(ApiError, match=r"127\.0\.0\.1:\d+ /x: .*refused.*\(2 attempts\)") as raised,
    ):
        api.get("/x")
    assert (raised.value.__dict__["status"], raised.value.__dict__["reply"]) == (None, None)

    async def never(writer: Any) -> None:
        await asyncio.sleep(9)

    error, _ = error_of(lambda _: never, attempts=2, deadline_s=0.1)
    assert "not complete within 0.1 s" in str(error)


def test_the_rate_holds_for_all_threads_and_retries() -> None:
    faults = [as_json({}, 500)] * 5

    def body(api: JsonApi, server: Tiny) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: api.get("/x"), range(20))) == [{"ok": 1}] * 20

    server = with_api(lambda _: faults.pop() if faults else as_json({"ok": 1}), body, rate_per_s=50.0)
    at = [seen.at for seen in server.log]
    assert len(at) == 25
    assert at[-1] - at[0] >= 24 * 0.02 - 0.01
    assert min(after - before for before, after in pairwise(at)) > 0.01  # 20 ms at the sender


def test_requests_at_a_time() -> None:
    def body(api: JsonApi, server: Tiny) -> None:
        server.work_s = 0.05
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda _: api.get("/x"), range(24)))

    assert with_api(lambda _: as_json({}), body, concurrency=3).most == 3
    assert with_api(lambda _: as_json({}), body).most == 10


@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_holds_every_request(is_date: bool) -> None:
    refused_at = 0.0

    def answer(seen: Seen) -> bytes:
        nonlocal refused_at
        if refused_at:
            return as_json({})
        refused_at = seen.at
        when = format_datetime(datetime.now(UTC) + timedelta(seconds=1.9), usegmt=True)
        return as_json({}, 429, f"Retry-After: {when if is_date else 1}")

    def body(api: JsonApi, server: Tiny) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: api.get("/x"), range(4)))

    server = with_api(answer, body, concurrency=1, base_wait_s=1e-6)
    assert len(server.log) == 5
    assert server.log[1].at - refused_at >= 0.85


def test_a_wait_that_is_too_long_is_an_error() -> None:
    began = time.monotonic()
    error, server = error_of(lambda _: as_json({}, 429, "Retry-After: 86400"))
    assert "asks to be left alone for another 864" in str(error)
    assert len(server.log) == 1
    assert time.monotonic() - began < 2


def test_closing_gives_up_what_is_under_way() -> None:
    async def never(writer: Any) -> None:
        await asyncio.sleep(9)

    def body(api: JsonApi, server: Tiny) -> None:
        found: list[CancelledError] = []

        def ask() -> None:
            try:
                api.get("/x")
            except CancelledError as error:
                found.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not server.log:
            time.sleep(0.01)
        api.close()
        thread.join(2)
        assert not thread.is_alive()
        assert len(found) == 1
        api.close()  # once more does no harm

    with_api(lambda _: never, body)


def test_an_address_that_is_none() -> None:
    with pytest.raises(UsageError, match="the address of the API: the address has no scheme"):
        JsonApi("api.example.org", rate_per_s=1)
    threads = threading.active_count()
    with_api(lambda _: as_json({}), lambda api, _: None)
    assert threading.active_count() == threads


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    with_api(lambda _: as_json({"a": KEY}), lambda api, _: api.get("/x"))
    error_of(lambda _: as_json({"a": KEY}, 400))
    with JsonApi("https://example.org", rate_per_s=1) as api:
        assert not api._transport._http2  # hpack logs the path
    assert any(record.name.startswith("httpcore2") for record in caplog.records)  # which logs every step
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err):
        assert not [spelling for spelling in SPELLINGS if spelling in text]
