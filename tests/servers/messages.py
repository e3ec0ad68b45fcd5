"""Requests as the servers see them and replies as they give them."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qs, unquote


@dataclass(slots=True)
class Seen:
    """One request, and what became of it.

    Args:
        at: when its head had arrived, in seconds of time.monotonic().
        method: GET, HEAD, ...
        target: path and query as sent.
        path: the path, decoded.
        query: the values of each parameter, decoded.
        headers: by lower-case name; of two with one name the values are joined by a comma.
        host: the Host header.
        connection: number of the connection that it came by.
        attempt: number of this request among those of the same path, from 1.
        status: of the reply; None where none is given.
        bytes: of body, handed to the system.
        finished_at: when the last byte was handed over or the connection ended; None while it is in flight.
        fault: the kind of fault served instead of the right answer.
        retry_after_s: seconds that the reply asked to wait.
    """

    at: float
    method: str
    target: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    host: str
    connection: int
    attempt: int = 0
    status: int | None = None
    bytes: int = 0
    finished_at: float | None = None
    fault: str | None = None
    retry_after_s: float | None = None

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return self.query.get(name, (default,))[0]


@dataclass(slots=True)
class Reply:
    """What is answered, and how badly.

    Args:
        status: the status.
        body: the whole body; with `stream`, what comes before it.
        content_type: None for no such header.
        headers: further headers, in order; a name may come twice.
        retry_after_s: what the headers ask to wait, for the log.
        delay_s: seconds until the first byte.
        bytes_per_s: slow drip of the body; 0 for as fast as it goes.
        length: Content-Length to claim; None for the true one, -1 for none (then chunked).
        send: bytes of the body that are really sent; None for all.
        end: keep the connection, close it, or reset it (RST) after what was sent.
        silent: not even the head is sent.
        hang: nothing ever happens until the client gives up.
        stream: the rest of the body, made while it is sent.
    """

    status: int = 200
    body: bytes = b""
    content_type: str | None = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    length: int | None = None
    send: int | None = None
    end: str = "keep"
    silent: bool = False
    hang: bool = False
    stream: Iterator[bytes] | None = field(default=None, repr=False)

    @property
    def is_plain(self) -> bool:
        """Whether head and body can be handed over at once."""
        return not (self.stream or self.bytes_per_s or self.silent or self.send is not None or self.end != "keep")

    def head(self, *, keep: bool) -> bytes:
        """The head of the message."""
        length = len(self.body) if self.length is None else self.length
        lines = [_status_line(self.status), f"Date: {_date(int(time.time()))}"]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if length < 0:
            lines.append("Transfer-Encoding: chunked")
        elif self.status != 304 and self.status >= 200:
            lines.append(f"Content-Length: {length}")
        if not keep:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_head(head: bytes, connection: int) -> Seen:
    """A request of its head, without the empty line; ValueError when it is none."""
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"} or not target.startswith("/"):
        raise ValueError(lines[0])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    elif "host" not in headers:
        raise ValueError("a request without Host")
    path, _, query = target.partition("?")
    return Seen(
        at=time.monotonic(),
        method=method,
        target=target,
        path=unquote(path) if "%" in path else path,
        query=parse_qs(query, keep_blank_values=True) if query else {},
        headers=headers,
        host=headers.get("host", "").lower(),
        connection=connection,
    )


def json_reply(value: object, status: int = 200) -> Reply:
    """A value as compact JSON, as both services send it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, text.encode(), "application/json;charset=UTF-8")


def html(title: str, status: int = 200) -> Reply:
    """A page for people."""
    text = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, text.encode(), "text/html; charset=utf-8")


def wait(status: int, seconds: float | None, *, date: bool = False) -> Reply:
    """An answer that asks to come back later, in whole seconds or as an HTTP date (RFC 9110 10.2.3)."""
    reply = html(HTTPStatus(status).phrase, status)
    if seconds is None:
        return reply
    if date:
        whole = int(time.time() + seconds) + 1  # dates have whole seconds: never earlier than asked
        reply.headers = (("Retry-After", formatdate(whole, usegmt=True)),)
        reply.retry_after_s = whole - time.time()
    else:
        reply.headers = (("Retry-After", str(round(seconds))),)
        reply.retry_after_s = round(seconds)
    return reply


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
