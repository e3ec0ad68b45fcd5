"""Pictures: what is wanted in, one `Attempt` for every try out, with the bytes of the last one if it was good.

Robots, opt-outs, limits, redirects, retries and the rules about content come together here.
"""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256

from imagelake.errors import BadItem
from imagelake.fetch.address import Address, host_key, parse_address, redirected
from imagelake.fetch.content import check_content
from imagelake.fetch.items import Attempt, Rerouted, Settings, Want, user_agent
from imagelake.fetch.limits import Limits
from imagelake.fetch.optout import header_opt_out, meta_opt_out
from imagelake.fetch.pages import Page, Pages
from imagelake.fetch.reply import Headers, Reply, Terms
from imagelake.fetch.retry import RETRIED, backoff_s, retry_after_s
from imagelake.fetch.robots import REDIRECTS, Robots, product_token
from imagelake.fetch.transport import Header, Transport

__all__ = ["Attempt", "Fetcher", "Rerouted", "Settings", "Want", "user_agent"]

_TEXT_CHARS = 500  # of a server's words in a row
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SENDABLE = re.compile(r"[\x20-\x7e]+")


@dataclass
class _Try:
    """An attempt under way: `elapsed_ms` without the waiting, `key` of the host asked last."""

    want: Want
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    reply: Reply = field(default_factory=Reply)
    elapsed_ms: float = 0.0
    answered_url: str | None = None
    retry_after_s: float | None = None
    key: str = ""


class Fetcher:
    """Fetches items; lives in one event loop, serves any number of `fetch` at a time.

    Args:
        settings: how to fetch.
        owns: whether a host (`Address.key`) is asked by this worker; the others are left to theirs.
        transport: connections; None for those of the settings.
    """

    def __init__(
        self, settings: Settings, owns: Callable[[str], bool] = lambda _: True, transport: Transport | None = None
    ) -> None:
        self._settings = settings
        self._owns = owns
        self._token = product_token(settings.user_agent)
        self._terms = Terms(settings.max_bytes, settings.deadline_s, settings.connect_s)
        self._transport = transport or Transport(allow_private=settings.allow_private)
        self._limits = Limits(
            settings.rate_per_s,
            settings.concurrency,
            total_rate_per_s=settings.total_rate_per_s,
            total_concurrency=settings.total_concurrency,
            max_wait_s=settings.max_wait_s,
        )
        parts = (self._transport, self._limits)
        self._robots = Robots(*parts, settings.user_agent, self._terms) if settings.robots else None
        self._pages = Pages(*parts, self._robots, settings.user_agent, self._terms)
        self._rng = random.Random()  # noqa: S311 (waits are no secret)
        self._headers = [
            ("User-Agent", settings.user_agent),
            ("Accept", "image/*, */*;q=0.5"),
            ("Accept-Encoding", "identity"),
        ]

    def pause(self) -> None:
        """Ask for no more pictures until `resume`; what is on its way comes."""
        self._limits.pause()

    def resume(self) -> None:
        """Go on."""
        self._limits.resume()

    async def close(self) -> None:
        """Close all connections; to be called when no `fetch` is under way."""
        await self._pages.close()
        if self._robots is not None:
            await self._robots.close()
        await self._transport.close()

    async def fetch(self, want: Want) -> list[Attempt] | Rerouted:
        """Try until it is there, or is not worth another try.

        Args:
            want: the item.

        Returns:
            The attempts, of which the last is the outcome; or, as soon as a request is due at a host of another
            worker, what that one is to go on with. Bad items never raise.
        """
        attempts: list[Attempt] = []
        while True:
            step = _Try(want, elapsed_ms=want.spent_ms)
            try:
                if not await self._reach(step):
                    return Rerouted(step.want, attempts)
                attempts.append(self._good(step))
            except BadItem as bad:
                attempts.append(self._failed(step, bad))
            if attempts[-1].outcome != "retried":
                return attempts
            await self._pause(step)
            want = step.want.from_start(step.want.attempt + 1)

    async def _reach(self, step: _Try) -> bool:
        """Ask, and follow redirects; whether it came to an end here, not at another worker's host.

        Raises:
            BadItem: whatever is wrong with the item.
        """
        if self._settings.check_pages and step.want.page_url is not None and not await self._passed_page(step):
            return False
        while True:
            address = parse_address(step.want.url)
            if not self._owns(address.key):
                return False
            await self._ask(step, address)
            location = _location(step.reply)
            if location is None:
                return True
            self._follow(step, address, location)

    async def _passed_page(self, step: _Try) -> bool:
        """Look at the page, behind its redirects; False if that is for another worker."""
        if step.want.origin_url is None:
            step.want = replace(step.want, url=step.want.page_url or "", origin_url=step.want.url)
        page = Page()
        try:
            while True:
                address = parse_address(step.want.url)
                if not self._owns(address.key):
                    return False
                page = await self._pages.ask(address)
                if page.location is None:
                    break
                self._follow(step, address, page.location)
        except BadItem:  # no address, or redirects without end: the page says nothing
            page = Page()
        page_url = step.want.page_url
        step.want = replace(step.want.from_start(step.want.attempt), page_url=None)
        if page.opt_out is not None:
            raise BadItem("opted_out", f"the page {page_url} says {page.opt_out}")
        return True

    def _follow(self, step: _Try, address: Address, location: str) -> None:
        target = redirected(address, location)
        step.want = step.want.to(target.url)
        visited = step.want.visited
        if target.url in {address.url, *visited}:
            raise BadItem("redirect_loop", f"{address.url} leads back to {target.url}")
        if len(visited) > self._settings.max_redirects:
            raise BadItem("too_many_redirects", f"more than {self._settings.max_redirects}, the last to {target.url}")

    async def _ask(self, step: _Try, address: Address) -> None:
        """One request, when it is due."""
        step.key = address.key
        if self._robots is not None:
            await self._robots.check(address)
        left_s = self._settings.deadline_s - step.elapsed_ms / 1000
        if left_s <= 0:
            raise BadItem("timeout", f"redirects took longer than {self._settings.deadline_s:g} s")
        terms = replace(self._terms, deadline_s=left_s)
        async with self._limits.turn(address.key):
            step.reply = await self._transport.exchange(address, self._headers_for(step.want), terms, self._judge)
            self._note_wait(step, address)
        step.elapsed_ms += step.reply.elapsed_ms
        step.want = replace(step.want, spent_ms=round(step.elapsed_ms))
        if step.reply.status is not None:
            step.answered_url = address.url
        if step.reply.bad is not None:
            raise step.reply.bad

    def _headers_for(self, want: Want) -> list[Header]:
        validators = [("If-None-Match", want.etag), ("If-Modified-Since", want.last_modified)]
        return self._headers + [(name, value) for name, value in validators if value and _SENDABLE.fullmatch(value)]

    def _judge(self, status: int, headers: Headers) -> BadItem | None:
        """Whether the body may be taken; an error's page may say "noindex" of itself."""
        if not self._settings.opt_out or not (200 <= status < 300 or status == 304):
            return None
        found = header_opt_out(headers.get("x-robots-tag", ()), self._token)
        return BadItem("opted_out", f"X-Robots-Tag: {found}") if found else None

    def _note_wait(self, step: _Try, address: Address) -> None:
        """Close the host to everybody for as long as it asks for; after a 429 without a time, for a while."""
        status = step.reply.status
        if status not in (429, 503):
            return
        step.retry_after_s = wait_s = retry_after_s(step.reply.header("retry-after") or "", datetime.now(UTC))
        if wait_s is None and status == 429:
            wait_s = backoff_s(step.want.attempt, self._rng)
        self._limits.hold(address.key, wait_s or 0.0, f"http_{status}")

    async def _pause(self, step: _Try) -> None:
        if not self._limits.held_s(step.key):  # else the turn will take as long as it must
            await asyncio.sleep(backoff_s(step.want.attempt, self._rng))

    def _good(self, step: _Try) -> Attempt:
        """The row of an answer that is what was wanted.

        Raises:
            BadItem: it is not.
        """
        reply, want = step.reply, step.want
        if reply.status == 304 and (want.etag or want.last_modified):
            return _row(step, "not_modified")
        if reply.status is None or not 200 <= reply.status < 300 or reply.status == 206:
            raise BadItem(f"http_{reply.status}", f"the answer was {reply.status}")
        bad = check_content(reply.body, reply.header("content-type"), want.asked_url, want.url)
        if bad is not None and bad.reason == "html" and self._settings.opt_out:
            found = meta_opt_out(reply.body, self._token)
            raise BadItem("opted_out", f"an HTML page that says {found}") if found else bad
        if bad is not None:
            raise bad
        if want.sha256 and (digest := sha256(reply.body).hexdigest()) != want.sha256.strip().lower():
            raise BadItem("sha256_mismatch", f"the bytes have the digest {digest}")
        return _row(step, "stored")

    def _failed(self, step: _Try, bad: BadItem) -> Attempt:
        is_retried = (
            bad.reason in RETRIED
            and step.want.attempt < self._settings.attempts
            and self._limits.held_s(step.key) <= self._settings.max_wait_s
        )
        return _row(step, "retried" if is_retried else "failed", bad)


def _location(reply: Reply) -> str | None:
    return reply.header("location") if reply.status in REDIRECTS else None


def _row(step: _Try, outcome: str, bad: BadItem | None = None) -> Attempt:
    want, reply = step.want, step.reply
    return Attempt(
        url=want.asked_url,
        attempt=want.attempt,
        media_url=want.media_url,
        host=host_key(want.asked_url),
        outcome=outcome,
        reason=bad.reason if bad else None,
        message=_clean(bad.message) if bad else None,
        http_status=reply.status,
        final_url=step.answered_url,
        redirects=len(want.visited),
        bytes=reply.received,
        first_byte_ms=reply.first_byte_ms,
        elapsed_ms=step.elapsed_ms,
        retry_after_s=step.retry_after_s,
        http_version=reply.http_version,
        content_type=_clean(reply.header("content-type")),
        etag=_clean(reply.header("etag")),
        last_modified=_clean(reply.header("last-modified")),
        fetched_at=step.began_at,
        body=reply.body if outcome == "stored" else None,
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else _CONTROL.sub(" ", text)[:_TEXT_CHARS]
