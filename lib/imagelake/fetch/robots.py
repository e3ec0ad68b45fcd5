"""robots.txt: an address in, leave to ask for it or the reason against it out (RFC 9309)."""

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from protego import Protego

from imagelake.errors import BadItem
from imagelake.fetch.address import Address, parse_address, redirected
from imagelake.fetch.limits import Limits
from imagelake.fetch.reply import Reply, Terms
from imagelake.fetch.retry import retry_after_s
from imagelake.fetch.transport import Transport

MAX_BYTES = 500 << 10  # RFC 9309, section 2.5
LIFE_S = 24 * 3600.0  # section 2.4
RETRY_S = 5.0  # how long a failure counts, before the next item asks again
MAX_REDIRECTS = 5  # section 2.3.1.2
MAX_DELAY_S = 60.0  # of Crawl-delay, which is not in the RFC but in use
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ORIGINS = 20_000  # whose rules are kept
# What keeps the item from being fetched as much as its robots.txt: the reason says more than "robots_unreachable".
_OF_THE_HOST = frozenset({"dns", "connect", "tls", "private_address"})


@dataclass(frozen=True)
class _Rules:
    """What one origin says: `parsed` is None where everything is allowed, `bad` is why nothing is known."""

    expires_at: float
    parsed: Protego | None = None
    bad: BadItem | None = None


class Robots:
    """The rules of all hosts, asked for once in 24 hours; askers of one host share one request.

    Args:
        transport: how to ask.
        limits: requests for robots.txt wait for their turns like any other.
        user_agent: the header; rules are looked for by its product token.
        terms: what an answer may cost in time.
    """

    def __init__(self, transport: Transport, limits: Limits, user_agent: str, terms: Terms) -> None:
        self._transport = transport
        self._limits = limits
        self._headers = [("User-Agent", user_agent), ("Accept", "text/plain, */*"), ("Accept-Encoding", "gzip")]
        self._token = product_token(user_agent)
        self._terms = replace(terms, max_bytes=MAX_BYTES, is_cut=True)
        self._known: OrderedDict[str, _Rules] = OrderedDict()
        self._pending: dict[str, asyncio.Task[_Rules]] = {}

    async def check(self, address: Address) -> None:
        """Return if the address may be asked for; `Crawl-delay` is handed to the limits.

        A robots.txt that is missing (4xx) allows everything. One that cannot be had (5xx, 429, no answer) forbids
        everything for the time being.

        Raises:
            BadItem: `robots`; `robots_unreachable`, or of the host itself `dns`, `connect`, `tls`, `private_address`,
                or the reason for which the limits hold a host.
        """
        rules = self._known.get(address.origin)
        if rules is None or rules.expires_at < time.monotonic():
            rules = await self._load(address)
        if rules.bad is not None:
            raise BadItem(rules.bad.reason, rules.bad.message)
        if rules.parsed is None:
            return
        if not rules.parsed.can_fetch(address.url, self._token):
            raise BadItem("robots", f"{address.origin}/robots.txt disallows it")
        delay_s = rules.parsed.crawl_delay(self._token)
        if delay_s:
            self._limits.slow_down(address.key, min(delay_s, MAX_DELAY_S))

    async def _load(self, address: Address) -> _Rules:
        task = self._pending.get(address.origin)
        if task is None:
            task = self._pending[address.origin] = asyncio.create_task(self._ask(address.origin))
        return await asyncio.shield(task)  # who gives up does not take the answer from the others

    async def _ask(self, origin: str) -> _Rules:
        try:
            rules = _Rules(time.monotonic() + LIFE_S, _parsed(await self._text(parse_address(f"{origin}/robots.txt"))))
        except BadItem as bad:
            rules = _Rules(time.monotonic() + RETRY_S, bad=bad)
        finally:
            del self._pending[origin]
        self._known[origin] = rules
        self._known.move_to_end(origin)
        if len(self._known) > _ORIGINS:
            self._known.popitem(last=False)
        return rules

    async def _text(self, address: Address) -> str | None:
        """The rules; None where there are none."""
        for hop in range(MAX_REDIRECTS + 1):
            async with self._limits.turn(address.key):
                reply = await self._transport.exchange(address, self._headers, self._terms)
                self._hold(address, reply)
            if reply.bad is not None or reply.status is None or reply.status == 429 or reply.status >= 500:
                raise _unreachable(address, reply, is_host=hop == 0)
            location = reply.header("location")
            if reply.status not in REDIRECTS or location is None:
                return reply.body.decode("utf-8-sig", "replace") if 200 <= reply.status < 300 else None
            try:
                address = redirected(address, location)
            except BadItem as bad:
                raise BadItem("robots_unreachable", f"{address.url}: {bad.message}") from bad
        return None

    def _hold(self, address: Address, reply: Reply) -> None:
        if reply.status in (429, 503):
            seconds = retry_after_s(reply.header("retry-after") or "", datetime.now(UTC))
            self._limits.hold(address.key, seconds or 0.0, f"http_{reply.status}")

    async def close(self) -> None:
        """Give up what is being asked for."""
        pending = list(self._pending.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def product_token(user_agent: str) -> str:
    """The name by which a robots.txt means us (RFC 9309, section 2.2.1): letters, `_` and `-`."""
    found = re.match(r"[A-Za-z_-]+", user_agent)
    return found[0] if found else "*"


def _parsed(text: str | None) -> Protego | None:
    return Protego.parse(text) if text and text.strip() else None


def _unreachable(address: Address, reply: Reply, *, is_host: bool) -> BadItem:
    if is_host and reply.bad is not None and reply.bad.reason in _OF_THE_HOST:
        return reply.bad
    seen = reply.bad.message if reply.bad is not None else f"the answer was {reply.status}"
    return BadItem("robots_unreachable", f"{address.url}: {seen}")
