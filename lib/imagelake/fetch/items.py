"""What goes into the fetcher and what comes out of it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from imagelake import __version__
from imagelake.errors import UsageError

_SENDABLE = re.compile(r"[\x20-\x7e]+")


def user_agent(contact: str | None) -> str:
    """What the client calls itself: name and version, and how to reach whoever runs it.

    Raises:
        UsageError: a contact that does not fit in a header.
    """
    if contact and not _SENDABLE.fullmatch(contact):
        raise UsageError("the contact must be an address or a page, in ASCII")
    return f"imagelake/{__version__}" + (f" (+{contact})" if contact else "")


@dataclass(frozen=True)
class Settings:
    """How to fetch.

    Args:
        user_agent: the header; its product token is looked for in robots.txt.
        rate_per_s: requests per second to one host, evenly spaced.
        concurrency: requests at a time to one host.
        total_rate_per_s: requests per second to all hosts together.
        total_concurrency: requests at a time to all hosts together.
        robots: keep to robots.txt.
        opt_out: keep to X-Robots-Tag and <meta name="robots">.
        check_pages: look for an opt-out on the page of a picture first.
        allow_private: ask addresses that are not public as well.
        attempts: for one item.
        deadline_s: for one attempt, waiting for turns not counted.
        connect_s: for one connection.
        max_bytes: of a picture.
        max_redirects: of one attempt.
        max_wait_s: the longest Retry-After that is waited for.
    """

    user_agent: str
    rate_per_s: float = 10.0
    concurrency: int = 4
    total_rate_per_s: float | None = None
    total_concurrency: int = 128
    robots: bool = True
    opt_out: bool = True
    check_pages: bool = False
    allow_private: bool = False
    attempts: int = 4
    deadline_s: float = 60.0
    connect_s: float = 10.0
    max_bytes: int = 512 << 20
    max_redirects: int = 5
    max_wait_s: float = 300.0


@dataclass(frozen=True)
class Want:
    """One item. Text and integers only: it travels between workers as a row.

    Args:
        url: what to ask for now.
        media_url: the picture's address as the records have it.
        etag: validator of what the lake has; the server then sends only what is new.
        last_modified: the same, as the server wrote it.
        sha256: digest that the bytes must have, in hex.
        page_url: the page that shows the picture; None when it has been looked at.
        attempt: number of the attempt, from 1.
        origin_url: what was to be fetched, where `url` is behind a redirect or is the page; None where it is `url`.
        hops: what was asked before in this attempt, one address on a line.
        spent_ms: time that this attempt took so far.
    """

    url: str
    media_url: str
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None
    page_url: str | None = None
    attempt: int = 1
    origin_url: str | None = None
    hops: str = ""
    spent_ms: int = 0

    @property
    def asked_url(self) -> str:
        """What was to be fetched."""
        return self.origin_url or self.url

    @property
    def visited(self) -> list[str]:
        """What was asked before in this attempt."""
        return self.hops.split("\n") if self.hops else []

    def to(self, url: str) -> "Want":
        """The same behind a redirect."""
        return replace(self, url=url, origin_url=self.asked_url, hops="\n".join([*self.visited, self.url]))

    def from_start(self, attempt: int) -> "Want":
        """The same at its own address, with nothing asked yet."""
        return replace(self, url=self.asked_url, origin_url=None, hops="", spent_ms=0, attempt=attempt)


@dataclass(frozen=True)
class Attempt:
    """One row of `fetches`, without run and image; `body` has the bytes if the outcome is `stored`."""

    url: str
    attempt: int
    media_url: str
    host: str
    outcome: str
    reason: str | None
    message: str | None
    http_status: int | None
    final_url: str | None
    redirects: int
    body: bytes | None
    bytes: int
    first_byte_ms: float | None
    elapsed_ms: float
    retry_after_s: float | None
    http_version: str | None
    content_type: str | None
    etag: str | None
    last_modified: str | None
    fetched_at: datetime


@dataclass(frozen=True)
class Rerouted:
    """The next request is for a host of another worker: `host_key(want.url)` says whose.

    Args:
        want: what that worker is to go on with.
        attempts: what was tried here.
    """

    want: Want
    attempts: list[Attempt]
