"""What a server sent: the head and the body of an answer in, decoded and bounded, a `Reply` out."""

import zlib
from contextlib import aclosing
from dataclasses import dataclass, field

import httpcore2

from imagelake.errors import BadItem

Headers = dict[str, list[str]]  # by name in lower case
ERROR_BYTES = 64 << 10  # of the body of an answer that is no success; the rest is not read


@dataclass(frozen=True)
class Terms:
    """What one exchange may cost.

    Args:
        max_bytes: of the body, both as received and as decoded.
        deadline_s: from the first to the last byte, connecting included.
        connect_s: for name and connection, and again for TLS.
        is_cut: take the beginning of a larger body; otherwise it is refused.
    """

    max_bytes: int
    deadline_s: float
    connect_s: float = 10.0
    is_cut: bool = False


@dataclass
class Reply:
    """What came, filled in while it comes; with what was wrong, if anything, in `bad`.

    Args:
        status: HTTP status; None when no answer came.
        headers: values by name in lower case.
        body: decoded body; of an answer that is no success at most ERROR_BYTES.
        http_version: `HTTP/1.1` or `HTTP/2`.
        received: bytes of body received.
        first_byte_ms: until the head of the answer.
        elapsed_ms: until the end.
        bad: `timeout`, `dns`, `connect`, `private_address`, `tls`, `reset`, `truncated`, `too_large`,
            `content_encoding`, `bad_reply`, or what the judge of the head said. A status alone is no fault.
    """

    status: int | None = None
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    http_version: str | None = None
    received: int = 0
    first_byte_ms: float | None = None
    elapsed_ms: float = 0.0
    bad: BadItem | None = None

    def header(self, name: str) -> str | None:
        """First value of a header; the name in lower case."""
        values = self.headers.get(name)
        return values[0] if values else None


def read_head(response: httpcore2.Response, reply: Reply) -> None:
    """Put status and headers into the reply."""
    reply.status = response.status
    reply.http_version = response.extensions["http_version"].decode("ascii", "replace")
    for name, value in response.headers:
        reply.headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))


async def read_body(response: httpcore2.Response, reply: Reply, terms: Terms) -> bool:
    """Put the body into the reply; returns whether it was read to its end.

    Raises:
        BadItem: `too_large`, `truncated`, `content_encoding`.
    """
    is_strict = 200 <= response.status < 300 and not terms.is_cut
    limit = min(terms.max_bytes, ERROR_BYTES) if response.status >= 300 else terms.max_bytes
    announced = reply.header("content-length") or ""
    if is_strict and announced.isdecimal() and int(announced) > limit:
        raise BadItem("too_large", f"{announced} bytes announced, more than {limit}")
    decoder = _decoder(reply.headers)
    chunks: list[bytes] = []
    size = 0
    async with aclosing(response.aiter_stream()) as stream:
        async for chunk in stream:
            reply.received += len(chunk)
            chunks.append(chunk if decoder is None else decoder.decode(chunk, limit + 1 - size))
            size += len(chunks[-1])
            if max(size, reply.received) > limit:
                break
    reply.body = b"".join(chunks)[:limit]
    is_cut = max(size, reply.received) > limit
    if is_cut and is_strict:
        reply.body = b""
        raise BadItem("too_large", f"more than {limit} bytes")
    if decoder is not None and not is_cut and not decoder.is_complete:
        raise BadItem("truncated", f"the compressed body ends early, after {reply.received} bytes")
    return not is_cut


class _Inflater:
    """Decodes `gzip` and `deflate` (RFC 9110, section 8.4.1) piece by piece."""

    def __init__(self, encoding: str) -> None:
        self._bits = zlib.MAX_WBITS + 16 if encoding.endswith("gzip") else 0
        self._stream = zlib.decompressobj(self._bits) if self._bits else None
        self._has_data = False

    def decode(self, data: bytes, limit: int) -> bytes:
        """What the data decodes to, up to `limit` bytes; what is behind the end is left out."""
        self._has_data = True
        if self._stream is None:  # some servers send deflate without the header of zlib
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 15 == 8 else -zlib.MAX_WBITS)
        return self._stream.decompress(data, limit)

    @property
    def is_complete(self) -> bool:
        """Whether the end was there; no data at all is complete."""
        return not self._has_data or (self._stream is not None and self._stream.eof)


def _decoder(headers: Headers) -> _Inflater | None:
    names = [name.strip().lower() for value in headers.get("content-encoding", ()) for name in value.split(",")]
    encodings = [name for name in names if name not in ("", "identity")]
    if not encodings:
        return None
    if len(encodings) > 1 or encodings[0] not in ("gzip", "x-gzip", "deflate"):
        raise BadItem("content_encoding", f"compressed with {', '.join(encodings)[:60]}, which was not asked for")
    return _Inflater(encodings[0])
