"""Politeness: who may ask which host when. A turn is waited for before each request and given back after it.

For each host: a strict distance in time between requests, so many at a time, and none before the time that the host
asked for. For all hosts together: a distance and a number as well. First come, first served.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from imagelake.errors import BadItem

_FORGET_AT = 1024  # hosts; beyond, those without a reason to be remembered are forgotten


@dataclass
class _Gate:
    """One host: `lock` makes the queue, whose first waits for the rest."""

    slots: asyncio.Semaphore
    spacing_s: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    next_at: float = 0.0
    held_until: float = 0.0
    held_for: str = ""


class Limits:
    """The turns of one event loop.

    Args:
        rate_per_s: requests per second to one host, evenly spaced: never two together; None for no limit.
        concurrency: requests at a time to one host.
        total_rate_per_s: the same for all hosts together.
        total_concurrency: the same for all hosts together.
        max_wait_s: a host that asks to be left alone for longer than this is not waited for.
    """

    def __init__(
        self,
        rate_per_s: float | None,
        concurrency: int,
        *,
        total_rate_per_s: float | None = None,
        total_concurrency: int | None = None,
        max_wait_s: float = 300.0,
    ) -> None:
        self._spacing_s = _spacing(rate_per_s)
        self._concurrency = concurrency
        self._max_wait_s = max_wait_s
        self._total_slots = asyncio.Semaphore(total_concurrency or 1 << 30)
        self._total_spacing_s = _spacing(total_rate_per_s)
        self._total_lock = asyncio.Lock()
        self._total_next_at = 0.0
        self._gates: dict[str, _Gate] = {}
        self._forget_at = _FORGET_AT
        self._is_open = asyncio.Event()
        self._is_open.set()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn at a host, and hold it.

        Args:
            key: the host (`Address.key`).

        Raises:
            BadItem: the reason of a hold that lasts longer than `max_wait_s`.
        """
        gate = self._gate(key)
        gate.users += 1
        try:
            async with gate.slots:
                await self._enter(gate, key)
                try:
                    yield
                finally:
                    self._total_slots.release()
        finally:
            gate.users -= 1

    def pause(self) -> None:
        """Give no more turns, to any host, until `resume`."""
        self._is_open.clear()

    def resume(self) -> None:
        """Give turns again."""
        self._is_open.set()

    def hold(self, key: str, seconds: float, reason: str) -> None:
        """Let nobody ask a host for some seconds, as it asked for (`Retry-After`)."""
        gate = self._gate(key)
        until = time.monotonic() + seconds
        if until > gate.held_until:
            gate.held_until, gate.held_for = until, reason

    def slow_down(self, key: str, spacing_s: float) -> None:
        """Let at least so many seconds be between two requests to a host (`Crawl-delay`)."""
        gate = self._gate(key)
        gate.spacing_s = max(gate.spacing_s, spacing_s)

    def held_s(self, key: str) -> float:
        """Seconds for which nobody may ask a host, by its own wish."""
        gate = self._gates.get(key)
        return max(0.0, gate.held_until - time.monotonic()) if gate else 0.0

    def _gate(self, key: str) -> _Gate:
        gate = self._gates.get(key)
        if gate is None:
            if len(self._gates) >= self._forget_at:
                self._forget()
            gate = self._gates[key] = _Gate(asyncio.Semaphore(self._concurrency), self._spacing_s)
        return gate

    def _forget(self) -> None:
        """Drop hosts that nobody asks and that may be asked at once."""
        now = time.monotonic()
        self._gates = {k: g for k, g in self._gates.items() if g.users or max(g.next_at, g.held_until) > now}
        self._forget_at = max(_FORGET_AT, 2 * len(self._gates))

    async def _enter(self, gate: _Gate, key: str) -> None:
        async with gate.lock:
            while True:
                await self._is_open.wait()
                await self._wait_for_host(gate, key)
                await self._total_slots.acquire()
                try:
                    await self._wait_for_total()
                except asyncio.CancelledError:
                    self._total_slots.release()
                    raise
                now = time.monotonic()
                if max(gate.next_at, gate.held_until) <= now and self._is_open.is_set():
                    gate.next_at = now + gate.spacing_s
                    return
                self._total_slots.release()  # the host was closed in the meantime, or all are

    async def _wait_for_host(self, gate: _Gate, key: str) -> None:
        while (wait_s := max(gate.next_at, gate.held_until) - time.monotonic()) > 0:
            held_s = gate.held_until - time.monotonic()
            if held_s > self._max_wait_s:
                raise BadItem(gate.held_for, f"{key} asks to be left alone for another {held_s:.0f} s")
            await asyncio.sleep(wait_s)

    async def _wait_for_total(self) -> None:
        if not self._total_spacing_s:
            return
        async with self._total_lock:
            while (wait_s := self._total_next_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            self._total_next_at = time.monotonic() + self._total_spacing_s


def _spacing(rate_per_s: float | None) -> float:
    return 1.0 / rate_per_s if rate_per_s else 0.0
