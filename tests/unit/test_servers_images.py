"""The host of pictures gives what its list says, asked by raw sockets and http.client."""

import http.client
import io
import time
from contextlib import closing

import pytest
from PIL import Image

from tests.servers.ask import exchange, get, outcome
from tests.servers.images import ImageHost
from tests.servers.messages import Reply
from tests.servers.pictures import Pictures


def test_every_picture_is_another_file_and_always_the_same() -> None:
    with ImageHost() as server, ImageHost() as again:
        found = {form: [get(server, f"/pic/{n}.{form}")[2] for n in range(20)] for form in ("jpg", "png", "webp")}
        for form, files in found.items():
            assert len(set(files)) == 20
            assert files[3] == get(again, f"/pic/3.{form}")[2]
            for file in files:
                with Image.open(io.BytesIO(file)) as picture:
                    picture.load()
                    assert picture.size == (160, 120)
                    assert picture.format == {"jpg": "JPEG"}.get(form, form.upper())
    with Image.open(io.BytesIO(found["jpg"][6])) as picture:
        assert picture.getexif()[0x0112] == 6
        assert picture.getexif()[0x0110] == "NIKON D750"
    with Image.open(io.BytesIO(found["jpg"][10])) as picture:
        assert not picture.getexif()


def test_sizes_and_given_files() -> None:
    with ImageHost(pictures=Pictures(sizes=((64, 48), (30, 40)))) as server:
        for n, size in ((0, (64, 48)), (1, (30, 40))):
            with Image.open(io.BytesIO(get(server, f"/pic/{n}.jpg")[2])) as picture:
                assert picture.size == size
        with Image.open(io.BytesIO(get(server, "/thumb/1.jpg")[2])) as picture:
            assert max(picture.size) <= 64
        file = get(server, "/pic/0.jpg")[2]
    with ImageHost(pictures=Pictures(files=(file,))) as server:
        assert get(server, "/pic/7.jpg")[2] != file
        assert get(server, "/pic/7.jpg")[2].endswith(file[-1000:])


def test_what_has_not_changed_is_not_sent_again() -> None:
    with ImageHost() as server:
        _, headers, body = get(server, "/pic/1.jpg")
        tag, date = headers["etag"], headers["last-modified"]
        status, headers, nothing = get(server, "/pic/1.jpg", If_None_Match=f'"x", {tag}')
        assert (status, nothing, headers["etag"]) == (304, b"", tag)
        assert "content-length" not in headers
        assert get(server, "/pic/1.jpg", If_Modified_Since=date)[0] == 304
        assert get(server, "/pic/1.jpg", If_None_Match='"x"', If_Modified_Since=date)[0] == 200
        server.touch("/pic/1.jpg")
        status, headers, changed = get(server, "/pic/1.jpg", If_None_Match=tag)
        assert (status, changed == body, headers["etag"] == tag) == (200, False, False)
        assert get(server, "/pic/1.jpg", If_Modified_Since=date)[0] == 200


def test_head_has_the_length_and_no_body() -> None:
    with ImageHost() as server:
        full, head = get(server, "/pic/1.jpg"), get(server, "/pic/1.jpg", "HEAD")
        assert head[1]["content-length"] == str(len(full[2]))
        assert (head[0], head[2]) == (200, b"")


def test_robots() -> None:
    text = "User-agent: *\nDisallow: /pic\nCrawl-delay: 2\n"
    with ImageHost() as server:
        assert get(server, "/robots.txt")[0] == 404
        server.robots = text
        assert get(server, "/robots.txt")[2] == text.encode()
        server.robots = Reply(503)
        assert get(server, "/robots.txt")[0] == 503
        server.robots = {"127.0.0.1": Reply(301, headers=(("Location", "/moved"),), delay_s=0.1), "127.0.0.2": text}
        begun = time.monotonic()
        status, headers, _ = get(server, "/robots.txt")
        assert (status, headers["location"]) == (301, "/moved")
        assert time.monotonic() - begun > 0.1
        assert len(server.requests("/robots.txt")) == 4


PICTURE = "picture"


@pytest.mark.parametrize(
    ("target", "status", "header", "body"),
    [
        ("/missing", 404, "", None),
        ("/pic/x.jpg", 404, "", None),
        ("/nothing", 404, "", None),
        ("/gone", 410, "", None),
        ("/status/507", 507, "", None),
        ("/empty/1.jpg", 200, "content-type: image/jpeg", b""),
        ("/html/1.jpg", 200, "content-type: image/jpeg", None),
        ("/redirect/2/pic/1.jpg", 302, "location: /redirect/1/pic/1.jpg", b""),
        ("/redirect/1/pic/1.jpg", 302, "location: /pic/1.jpg", b""),
        ("/redirect-to?u=http://10.0.0.1/x%3Fa&status=307", 307, "location: http://10.0.0.1/x?a", b""),
        ("/loop", 302, "location: /loop", b""),
        ("/unavailable/9.jpg", 302, "location: /photo_unavailable.png", b""),
        ("/photo_unavailable.png", 200, "content-type: image/png", None),
        ("/gzip/pic/1.jpg", 200, "content-encoding: gzip", None),
        ("/noai/pic/1.jpg", 200, "x-robots-tag: noai, noimageai", PICTURE),
        ("/noai/pic/1.jpg?tag=bot:%20noindex", 200, "x-robots-tag: bot: noindex", PICTURE),
        ("/page/1.html", 200, "content-type: text/html; charset=utf-8", None),
        ("/late/0.05/pic/1.jpg", 200, "content-type: image/jpeg", PICTURE),
        ("/slow/pic/1.jpg?rate=50000", 200, "content-type: image/jpeg", PICTURE),
    ],
)
def test_pages_of_the_host(target: str, status: int, header: str, body: bytes | str | None) -> None:
    with ImageHost() as server:
        found = get(server, target)
        assert found[0] == status
        name, _, value = header.partition(": ")
        assert found[1].get(name, "") == value
        if body is not None:
            assert found[2] == (get(server, "/pic/1.jpg")[2] if body == PICTURE else body)


def test_several_robots_tags_are_several_headers() -> None:
    with ImageHost() as server:
        head = exchange(server, b"GET /noai/pic/1.jpg?tag=noai&tag=bot:+none HTTP/1.0\r\n\r\n").split(b"\r\n\r\n")[0]
        assert [line for line in head.split(b"\r\n") if b"Robots" in line] == [
            b"X-Robots-Tag: noai",
            b"X-Robots-Tag: bot: none",
        ]


def test_flaky_and_busy_recover() -> None:
    with ImageHost() as server:
        assert [get(server, "/flaky/pic/1.jpg")[0] for _ in range(4)] == [503, 503, 200, 200]
        assert [get(server, "/busy/pic/1.jpg?times=2")[0] for _ in range(3)] == [429, 429, 200]
        assert get(server, "/busy/pic/2.jpg?after=7")[1]["retry-after"] == "7"
        assert get(server, "/busy/pic/3.jpg?form=date")[1]["retry-after"].endswith("GMT")
        assert "retry-after" not in get(server, "/busy/pic/4.jpg?form=none")[1]


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/reset/pic/1.jpg", "ConnectionResetError"),
        ("/short/pic/1.jpg", "IncompleteRead"),
        ("/hang", "TimeoutError"),
        ("/drop", "RemoteDisconnected"),
    ],
)
def test_misery(path: str, seen: str) -> None:
    with ImageHost() as server:
        assert outcome(server, path) == seen


def test_half_a_picture_as_if_it_were_whole() -> None:
    with ImageHost() as server:
        half, full = get(server, "/cut/pic/1.jpg")[2], get(server, "/pic/1.jpg")[2]
        assert half == full[: len(full) // 2]


@pytest.mark.parametrize(("query", "length"), [("", "10000000000"), ("?length=0", None)])
def test_a_body_of_ten_gigabytes_costs_nothing_until_it_is_read(query: str, length: str | None) -> None:
    with ImageHost() as server, closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("GET", f"/huge{query}")
        reply = connection.getresponse()
        assert reply.getheader("content-length") == length
        assert len(reply.read(1 << 22)) == 1 << 22
    with ImageHost() as server:
        found = get(server, f"/huge?bytes=1000000&length={0 if query else 1}")[2]
        assert len(found) == 1_000_000
        assert found.startswith(b"\xff\xd8")
