"""Hosts of pictures, good and bad: `ImageHost`. As a process of its own: python -m tests.servers.images --help.

Good: /pic/<n>.jpg|png|webp (ETag, Last-Modified, 304), /thumb/<n>.jpg, /page/<n>.html.
In the following <rest> is a path such as pic/7.jpg:
/redirect/<k>/<rest> k redirects, then it; /redirect-to?u=<url>&status=302; /loop; /gzip/<rest> with Content-Encoding;
/slow/<rest>?rate=<bytes per second>; /late/<seconds>/<rest>; /reset/<rest> in the middle; /short/<rest> half of what
Content-Length says; /cut/<rest> half as if whole; /hang; /drop no reply; /huge?bytes=<n>&length=0; /empty;
/missing 404; /gone 410; /status/<code>; /unavailable/<x> 302 to /photo_unavailable.png;
/html/<x>?type=image/jpeg a page that claims to be a JPEG;
/flaky/<rest>?times=2 503 first; /busy/<rest>?after=1&form=s|date|none&times=1 429 first;
/noai/<rest>?tag=<value>&tag=... X-Robots-Tag; /page/<n>.html?content=noai&name=robots.
"""

import argparse
import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from tests.servers.http import Server
from tests.servers.messages import Reply, Seen, html, wait
from tests.servers.pictures import FORMS, Pictures
from tests.servers.program import run

Robots = str | Reply | None
EPOCH = 1_600_000_000  # picture n was last changed n seconds later
HUGE = 10 * 1000**3


class ImageHost(Server):
    """Serves pictures and every misery that pictures on the web come with.

    Args:
        robots: /robots.txt: its text, a whole reply (an error, a redirect, a slow one), None for 404; or one of these
            by address, for several hosts.
        pictures: what /pic shows; default small pictures of seed 0.
        options: those of Server.
    """

    def __init__(
        self,
        *,
        robots: Robots | Mapping[str, Robots] = None,
        pictures: Pictures | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.robots = robots
        self.pictures = pictures or Pictures()
        self._versions: dict[str, int] = {}

    def touch(self, path: str) -> None:
        """The picture of this path is another one from now on."""
        self._versions[path] = self._versions.get(path, 0) + 1

    def answer(self, request: Seen) -> Reply:
        return self._at(request.path, request)

    def _at(self, path: str, request: Seen) -> Reply:
        """What is at a path; `path` differs from the request's own behind /slow, /redirect and the like."""
        if path.startswith("/pic/"):
            return self._picture(path, request)
        kind, _, rest = path[1:].partition("/")
        page = _PAGES.get(kind)
        return page(self, f"/{rest}", request) if page else html("Not Found", 404)

    def _picture(self, path: str, request: Seen) -> Reply:
        found = _PICTURE.fullmatch(path)
        if not found:
            return html("Not Found", 404)
        n, form = int(found[1]), found[2]
        version = self._versions.get(path, 0)
        etag = f'"{n:x}-{form}-{version}"'
        changed_at = EPOCH + n + version
        headers = (("ETag", etag), ("Last-Modified", formatdate(changed_at, usegmt=True)))
        if _is_unchanged(request, etag, changed_at):
            return Reply(304, content_type=None, headers=headers)
        return Reply(200, self.pictures.get(n, form, version), FORMS[form], headers)

    def _robots(self, _: str, request: Seen) -> Reply:
        robots = self.robots
        if isinstance(robots, Mapping):
            robots = robots.get(request.host.partition(":")[0])
        if robots is None:
            return html("Not Found", 404)
        return Reply(200, robots.encode(), "text/plain") if isinstance(robots, str) else replace(robots)

    def _thumb(self, rest: str, request: Seen) -> Reply:
        number = re.match(r"/(\d+)", rest)
        return Reply(200, self.pictures.thumbnail(int(number[1]) if number else 0, 64), "image/jpeg")

    def _page(self, rest: str, request: Seen) -> Reply:
        name, content = request.get("name", "robots"), request.get("content", "noai, noimageai")
        text = f'<html><head><meta name="{name}" content="{content}"></head><body><img src="/pic/1.jpg"></body></html>'
        return Reply(200, text.encode(), "text/html; charset=utf-8")

    def _redirect(self, rest: str, request: Seen) -> Reply:
        number, _, target = rest[1:].partition("/")
        left = int(number) - 1
        return _redirect(f"/redirect/{left}/{target}" if left else f"/{target}", request)

    def _late(self, rest: str, request: Seen) -> Reply:
        seconds, _, target = rest[1:].partition("/")
        return replace(self._at(f"/{target}", request), delay_s=float(seconds))

    def _half(self, rest: str, request: Seen, end: str) -> Reply:
        reply = self._at(rest, request)
        return replace(reply, send=len(reply.body) // 2, end=end)

    def _cut(self, rest: str, request: Seen) -> Reply:
        reply = self._at(rest, request)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

    def _gzip(self, rest: str, request: Seen) -> Reply:
        reply = self._at(rest, request)
        headers = (*reply.headers, ("Content-Encoding", "gzip"))
        return replace(reply, body=gzip.compress(reply.body, mtime=0), headers=headers)

    def _noai(self, rest: str, request: Seen) -> Reply:
        reply = self._at(rest, request)
        tags = request.query.get("tag", ["noai, noimageai"])
        return replace(reply, headers=(*reply.headers, *(("X-Robots-Tag", tag) for tag in tags)))

    def _flaky(self, rest: str, request: Seen) -> Reply:
        if request.attempt <= int(request.get("times", "2")):
            return html("Service Unavailable", 503)
        return self._at(rest, request)

    def _busy(self, rest: str, request: Seen) -> Reply:
        if request.attempt <= int(request.get("times", "1")):
            form = request.get("form", "s")
            return wait(429, None if form == "none" else float(request.get("after", "1")), date=form == "date")
        return self._at(rest, request)

    def _html(self, rest: str, request: Seen) -> Reply:
        return replace(html("Sign in to see this picture"), content_type=request.get("type", "image/jpeg"))

    def _huge(self, rest: str, request: Seen) -> Reply:
        size = int(request.get("bytes", str(HUGE)))
        begin = self.pictures.get(0)[:1000]  # looks like a JPEG
        length = -1 if request.get("length", "1") == "0" else size
        return Reply(200, begin, "image/jpeg", length=length, stream=_filler(size - len(begin)))

    def _unavailable(self, rest: str, request: Seen) -> Reply:
        return _redirect("/photo_unavailable.png", request)


def _filler(size: int) -> Iterator[bytes]:
    piece = bytes(1 << 18)
    yield from repeat(piece, size // len(piece))
    yield piece[: size % len(piece)]


def _redirect(target: str, request: Seen) -> Reply:
    return Reply(int(request.get("status", "302")), b"", None, (("Location", target),))


def _is_unchanged(request: Seen, etag: str, changed_at: int) -> bool:
    """RFC 9110 13.2.2: If-None-Match counts; If-Modified-Since only without it."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags == "*" or etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since = request.headers.get("if-modified-since")
    return since is not None and parsedate_to_datetime(since).timestamp() >= changed_at


_PICTURE = re.compile(r"/pic/(\d+)\.(jpg|png|webp)")
_PAGES: dict[str, Callable[[ImageHost, str, Seen], Reply]] = {
    "robots.txt": ImageHost._robots,
    "thumb": ImageHost._thumb,
    "page": ImageHost._page,
    "redirect": ImageHost._redirect,
    "redirect-to": lambda _, __, request: _redirect(request.get("u"), request),
    "loop": lambda _, __, request: _redirect(request.target, request),
    "gzip": ImageHost._gzip,
    "slow": lambda host, rest, request: replace(
        host._at(rest, request), bytes_per_s=float(request.get("rate", "1000"))
    ),
    "late": ImageHost._late,
    "reset": lambda host, rest, request: host._half(rest, request, "reset"),
    "short": lambda host, rest, request: host._half(rest, request, "close"),
    "cut": ImageHost._cut,
    "hang": lambda *_: Reply(hang=True),
    "drop": lambda *_: Reply(silent=True, end="close"),
    "huge": ImageHost._huge,
    "empty": lambda *_: Reply(200, b"", "image/jpeg"),
    "missing": lambda *_: html("Not Found", 404),
    "gone": lambda *_: html("Gone", 410),
    "status": lambda _, rest, __: html("As asked", int(rest[1:4])),
    "unavailable": ImageHost._unavailable,
    "photo_unavailable.png": lambda host, *_: Reply(200, host.pictures.get(0, "png"), "image/png"),
    "html": ImageHost._html,
    "flaky": ImageHost._flaky,
    "busy": ImageHost._busy,
    "noai": ImageHost._noai,
}


def _make(
    *, robots_file: Path | None = None, folder: Path | None = None, size: str, noise: float, **options: Any
) -> ImageHost:
    width, height = map(int, size.split("x"))
    files = tuple(path.read_bytes() for path in sorted(folder.glob("*.jpg"))) if folder else ()
    pictures = Pictures(sizes=((width, height),), noise=noise, files=files)
    return ImageHost(robots=robots_file.read_text() if robots_file else None, pictures=pictures, **options)


if __name__ == "__main__":
    program = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    program.add_argument("--robots", type=Path, dest="robots_file", help="file with the text of /robots.txt")
    program.add_argument("--folder", type=Path, help="/pic/<n>.jpg shows the JPEGs of this folder, each n another file")
    program.add_argument("--size", default="160x120", help="of drawn pictures")
    program.add_argument("--noise", type=float, default=0.0, help="of drawn pictures; 10 gives about 0.35 bytes/pixel")
    run(_make, program)
