"""Pages on which pictures are shown: an address in, what the page says against the use of its pictures out."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace

from imagelake.errors import BadItem
from imagelake.fetch.address import Address
from imagelake.fetch.limits import Limits
from imagelake.fetch.optout import HTML_BYTES, header_opt_out, meta_opt_out
from imagelake.fetch.reply import Terms
from imagelake.fetch.robots import REDIRECTS, Robots, product_token
from imagelake.fetch.transport import Transport

_PAGES = 100_000  # whose answers are kept: the pictures of a page come close to each other


@dataclass(frozen=True)
class Page:
    """What a page says: the directive of its opt-out, or where it redirects to, or nothing."""

    opt_out: str | None = None
    location: str | None = None


class Pages:
    """Asks for every page once.

    Args:
        transport: how to ask.
        limits: pages wait for their turns like any other request.
        robots: the rules that are kept; None for none.
        user_agent: the header.
        terms: what an answer may cost in time.
    """

    def __init__(
        self, transport: Transport, limits: Limits, robots: Robots | None, user_agent: str, terms: Terms
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._robots = robots
        self._token = product_token(user_agent)
        self._headers = [("User-Agent", user_agent), ("Accept", "text/html, */*"), ("Accept-Encoding", "gzip")]
        self._terms = replace(terms, max_bytes=HTML_BYTES, is_cut=True)
        self._known: OrderedDict[str, asyncio.Task[Page]] = OrderedDict()

    async def ask(self, address: Address) -> Page:
        """What a page says; one that may not be asked for or cannot be read says nothing."""
        task = self._known.get(address.url)
        if task is None:
            task = self._known[address.url] = asyncio.create_task(self._ask(address))
            if len(self._known) > _PAGES:
                self._known.popitem(last=False)
        return await asyncio.shield(task)  # who gives up does not take the answer from the others

    async def _ask(self, address: Address) -> Page:
        try:
            if self._robots is not None:
                await self._robots.check(address)
            async with self._limits.turn(address.key):
                reply = await self._transport.exchange(address, self._headers, self._terms)
        except BadItem:
            return Page()
        if reply.status in REDIRECTS:
            return Page(location=reply.header("location"))
        if reply.bad is not None or reply.status != 200:
            return Page()
        found = header_opt_out(reply.headers.get("x-robots-tag", ()), self._token)
        return Page(found or meta_opt_out(reply.body, self._token))

    async def close(self) -> None:
        """Give up what is being asked for."""
        pending = [task for task in self._known.values() if not task.done()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
