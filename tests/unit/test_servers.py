"""The servers of the tests do what they say, asked by raw sockets and http.client; no client of ours is involved."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import get_args

import pytest

from tests.servers.ask import exchange, get, outcome
from tests.servers.faults import Fault, Faults, Kind
from tests.servers.http import Bucket, Server
from tests.servers.images import ImageHost
from tests.servers.messages import Reply, Seen
from tests.servers.pictures import Pictures


class Echo(Server):
    """Says a text of a thousand bytes."""

    def answer(self, request: Seen) -> Reply:
        return Reply(200, b'{"text":"' + b"x" * 989 + b'"}', "application/json")


# The core


def test_a_connection_is_kept_and_every_request_is_in_the_log() -> None:
    with Echo() as server, closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        before = time.monotonic()
        for path in ("/a%20b?x=1&x=%C3%A9&y=", "/c"):
            connection.request("GET", path, headers={"User-Agent": "me"})
            assert len(connection.getresponse().read()) == 1000
        first, second = server.log
        assert (first.path, first.query, first.get("y", "?")) == ("/a b", {"x": ["1", "é"], "y": [""]}, "")
        assert (first.method, first.status, first.bytes) == ("GET", 200, 1000)
        assert first.headers["user-agent"] == "me"
        assert first.host == f"127.0.0.1:{server.port}"
        assert before < first.at <= (first.finished_at or 0) <= second.at
        assert server.stats()["connections"] == 1
        assert server.requests("/c") == [second]
        assert server.counts() == {"/a b": 1, "/c": 1}


def test_requests_in_one_packet_are_answered_in_order() -> None:
    with ImageHost() as server:
        head = b" HTTP/1.1\r\nHost: x\r\n"
        found = exchange(server, b"GET /missing" + head + b"\r\nGET /gone" + head + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"404", b"410"]


def test_a_request_waits_for_the_reply_before_it() -> None:
    with ImageHost() as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for path in ("/late/0.2/gone", "/missing"):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.05)
        assert len(server.log) == 1
        found = b""
        while found.count(b"</html>") < 2:
            found += connection.recv(1 << 16)
        assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"410", b"404"]


def test_a_reply_is_finished_when_the_client_has_room_for_all_of_it() -> None:
    picture = b"\xff\xd8" + bytes(1 << 24)
    host = ImageHost(pictures=Pictures(files=(picture,)))
    with host as server, closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request("GET", "/pic/1.jpg")
        reply = connection.getresponse()
        assert [seen.finished_at for seen in server.log] == [None]
        assert server.stats()["in_flight"] == 1
        assert len(reply.read()) > 1 << 24
        assert all(seen.finished_at for seen in server.log)
        assert server.stats()["in_flight"] == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"413"),
        (b"GET /" + b"a" * 70000, b"431"),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes, status: bytes) -> None:
    with Echo() as server:
        assert exchange(server, sent).split(b" ")[1] == status
        assert server.log == []


def test_concurrency_and_rate_are_counted_by_host() -> None:
    with Echo(addresses=("127.0.0.2", "127.0.0.3"), latency_s=0.3) as server:
        assert server.url == f"http://127.0.0.2:{server.port}"

        def ask(address: str) -> None:
            with closing(http.client.HTTPConnection(address, server.port)) as connection:
                connection.request("GET", "/")
                connection.getresponse().read()

        hosts = ["127.0.0.2"] * 5 + ["127.0.0.3"] * 3
        threads = [threading.Thread(target=ask, args=[host]) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        names = [f"127.0.0.{i}:{server.port}" for i in (2, 3)]
        assert [server.max_concurrency(name) for name in names] == [5, 3]
        assert server.max_concurrency() == 5
        assert [server.max_rate(name) for name in names] == [5, 3]
        assert server.max_rate() == 8
        assert all((seen.finished_at or 0) - seen.at > 0.29 for seen in server.log)


def test_a_server_ends_at_once_whatever_it_is_doing() -> None:
    threads = threading.active_count()
    with ImageHost() as server:
        sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        for connection, path in zip(
            sockets, ("/hang", "/slow/pic/1.jpg?rate=50", "/huge", "/late/9/gone"), strict=True
        ):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while len(server.log) < 4:
            time.sleep(0.01)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    assert threading.active_count() == threads
    assert all(seen.finished_at for seen in server.log)
    for connection in sockets:
        connection.close()


def test_a_mistake_of_the_server_itself_fails_the_test() -> None:
    with pytest.raises(ValueError, match="could not convert"), ImageHost() as server:
        outcome(server, "/late/soon/pic/1.jpg")


def test_a_port_in_use_is_said() -> None:
    with Echo() as server, pytest.raises(OSError, match="in use"), Echo(port=server.port):
        pass


def test_a_bucket_gives_what_it_holds_and_says_how_long_to_wait() -> None:
    bucket = Bucket(3, 60.0)
    assert [bucket.wait_s() for _ in range(3)] == [0, 0, 0]
    assert bucket.wait_s() == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("end", [lambda p: p.stdin.close(), lambda p: p.send_signal(signal.SIGTERM)])
def test_a_server_in_a_process_of_its_own(end: Callable[["subprocess.Popen[str]"], None]) -> None:
    command = [sys.executable, "-m", "tests.servers.images", "--faults", '[{"kind": "status", "at": [1]}]']
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stderr
        port = int(process.stdout.readline().rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            found = []
            for path in ("/pic/1.jpg", "/pic/1.jpg", "/-/log", "/-/stats"):
                connection.request("GET", path)
                reply = connection.getresponse()
                found.append((reply.status, reply.read()))
        assert [status for status, _ in found] == [503, 200, 200, 200]
        log = [json.loads(line) for line in found[2][1].splitlines()]
        assert [(seen["path"], seen["status"], seen["fault"]) for seen in log] == [
            ("/pic/1.jpg", 503, "status 503"),
            ("/pic/1.jpg", 200, None),
        ]
        stats = json.loads(found[3][1])
        assert (stats["requests"], stats["faults"], stats["in_flight"]) == (2, {"status 503": 1}, 0)
        end(process)
        assert process.wait(5) == 0
        assert process.stderr.read() == ""


# Faults


LOOKS = [
    (Fault("status", status=502), "502 102 bytes of text/html; charset=utf-8"),
    (Fault("refusal", code=418), "418 8 bytes of text/plain"),
    (Fault("reset_head"), "ConnectionResetError"),
    (Fault("reset_body"), "ConnectionResetError"),
    (Fault("no_reply"), "RemoteDisconnected"),
    (Fault("hang"), "TimeoutError"),
    (Fault("late", delay_s=0.2), "200 json"),
    (Fault("drip", bytes_per_s=2500), "200 json"),
    (Fault("short_body"), "IncompleteRead"),
    (Fault("cut_body"), "200 500 bytes of application/json"),
    (Fault("html"), "200 122 bytes of text/html; charset=utf-8"),
    (Fault("empty"), "200 0 bytes of application/octet-stream"),
]


@pytest.mark.parametrize(("fault", "expected"), LOOKS, ids=[fault.kind for fault, _ in LOOKS])
def test_faults_look_to_a_client_as_they_should(fault: Fault, expected: str) -> None:
    faults = Faults(fault)
    with Echo(faults=faults) as server:
        begun = time.monotonic()
        assert outcome(server) == expected
        assert time.monotonic() - begun > {"late": 0.19, "drip": 0.35, "hang": 0.45}.get(fault.kind, 0)
        assert faults.counts() == {fault.name: 1}
        assert server.log[0].fault == fault.name
        assert not faults.unserved()


def test_every_kind_of_fault_is_tested() -> None:
    assert {fault.kind for fault, _ in LOOKS} == set(get_args(Kind))


def test_faults_meet_those_that_they_are_meant_for() -> None:
    def asks(fault: Fault, targets: list[str]) -> list[int]:
        with Echo(faults=Faults(fault)) as server:
            return [i for i, target in enumerate(targets) if get(server, target)[0] == 503]

    a, b = ["/a"] * 6, ["/a", "/b"] * 3
    assert asks(Fault("status"), a) == [0, 1, 2, 3, 4, 5]
    assert asks(Fault("status", every=3), a) == [2, 5]
    assert asks(Fault("status", at={1, 4}), a) == [0, 3]
    assert asks(Fault("status", first=2), b) == [0, 1, 2, 3]
    assert asks(Fault("status", times=2), a) == [0, 1]
    assert asks(Fault("status", path="^/b$"), b) == [1, 3, 5]
    assert asks(Fault("status", when=lambda request: request.attempt == 2), b) == [2, 3]
    assert asks(Fault("status", path="b", every=2), b) == [3]
    many = [f"/{i}" for i in range(100)]
    shared = asks(Fault("status", share=0.3), many)
    assert 15 < len(shared) < 45
    # whatever the order
    assert {many[i] for i in shared} == {many[::-1][i] for i in asks(Fault("status", share=0.3), many[::-1])}


def test_a_fault_that_never_came_is_named() -> None:
    never = Fault("hang", path="/other")
    faults = Faults(never, Fault("status", first=1))
    with Echo(faults=faults) as server:
        assert [get(server, "/a")[0] for _ in range(2)] == [503, 200]
    assert faults.unserved() == [never]
    assert [(served.fault.name, served.target) for served in faults.served] == [("status 503", "/a")]


@pytest.mark.parametrize("date", [False, True])
def test_who_does_not_wait_is_found(date: bool) -> None:
    fault = Fault("status", status=429, retry_after_s=1, retry_after_date=date, first=1)
    with Echo(faults=Faults(fault)) as server:
        text = get(server, "/a")[1]["retry-after"]
        if date:
            assert 0 < parsedate_to_datetime(text).timestamp() - time.time() < 3
        else:
            assert text == "1"
        wait_s = server.log[0].retry_after_s or 0
        assert 1 <= wait_s < 2.1
        get(server, "/b")
        assert not server.too_early()
        [(told, later)] = server.too_early(by="host")
        assert (told.path, later.path) == ("/a", "/b")
        time.sleep(wait_s)
        get(server, "/a")
        assert not server.too_early()


def test_429_without_a_word_when_to_come_back() -> None:
    with Echo(faults=Faults(Fault("status", status=429))) as server:
        assert "retry-after" not in get(server, "/")[1]
