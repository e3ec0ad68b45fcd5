"""Turns: how far apart, how many at a time, for whom, and when not at all."""

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest

from imagelake.errors import BadItem
from imagelake.fetch.limits import Limits

Turn = tuple[float, float, str]  # from, to, host


async def take(limits: Limits, key: str, turns: list[Turn], work_s: float = 0.0) -> None:
    async with limits.turn(key):
        began = time.monotonic()
        if work_s:
            await asyncio.sleep(work_s)
        turns.append((began, time.monotonic(), key))


def turns_of(limits: Limits, keys: Sequence[str], work_s: float = 0.0) -> list[Turn]:
    turns: list[Turn] = []

    async def main() -> None:
        await asyncio.gather(*(take(limits, key, turns, work_s) for key in keys))

    asyncio.run(main())
    return sorted(turns)


def most_at_a_time(turns: list[Turn]) -> int:
    events = sorted([(began, 1) for began, _, _ in turns] + [(ended, -1) for _, ended, _ in turns])
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


def gaps(turns: list[Turn]) -> list[float]:
    return [after[0] - before[0] for before, after in pairwise(turns)]


def test_requests_to_a_host_are_evenly_spaced() -> None:
    turns = turns_of(Limits(50.0, 8), ["a"] * 12)
    assert min(gaps(turns)) >= 0.02
    assert turns[-1][0] - turns[0][0] < 0.4


def test_a_pause_is_not_made_up_for() -> None:
    """No burst after idle time, as a bucket of tokens would allow."""
    limits = Limits(50.0, 8)
    turns: list[Turn] = []

    async def main() -> None:
        await take(limits, "a", turns)
        await asyncio.sleep(0.2)
        await asyncio.gather(*(take(limits, "a", turns) for _ in range(5)))

    asyncio.run(main())
    assert min(gaps(sorted(turns))) >= 0.02


def test_hosts_do_not_wait_for_each_other() -> None:
    limits = Limits(20.0, 1)
    turns = turns_of(limits, ["a"] * 4 + ["b"] * 4 + ["c"])
    for key in "ab":
        assert min(gaps([turn for turn in turns if turn[2] == key])) >= 0.05
    assert turns[-1][0] - turns[0][0] < 0.3
    assert next(turn for turn in turns if turn[2] == "c")[0] - turns[0][0] < 0.04


def test_concurrency_of_a_host_and_of_all() -> None:
    turns = turns_of(Limits(None, 3), ["a"] * 12 + ["b"] * 12, work_s=0.02)
    for key in "ab":
        assert most_at_a_time([turn for turn in turns if turn[2] == key]) == 3
    assert most_at_a_time(turns) == 6
    turns = turns_of(Limits(None, 3, total_concurrency=4), [f"host{i % 5}" for i in range(30)], work_s=0.01)
    assert most_at_a_time(turns) == 4


def test_a_rate_for_all_hosts_together() -> None:
    turns = turns_of(Limits(None, 8, total_rate_per_s=100.0), [f"host{i}" for i in range(15)])
    assert min(gaps(turns)) >= 0.01
    assert turns[-1][0] - turns[0][0] < 0.4


def test_a_slow_host_does_not_keep_the_places_of_others() -> None:
    limits = Limits(2.0, 100, total_concurrency=2)
    turns: list[Turn] = []

    async def main() -> None:
        slow = [asyncio.create_task(take(limits, "slow", turns)) for _ in range(10)]
        await asyncio.sleep(0.01)
        await asyncio.gather(*(take(limits, f"host{i}", turns, 0.001) for i in range(20)))
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 0.5


def test_first_come_first_served() -> None:
    limits = Limits(500.0, 16)
    served: list[int] = []

    async def one(i: int) -> None:
        async with limits.turn("a"):
            served.append(i)
            await asyncio.sleep(0.001)

    async def main() -> None:
        await asyncio.gather(*(one(i) for i in range(40)))

    asyncio.run(main())
    assert served == list(range(40))


def test_a_hold_stops_everybody_who_waits() -> None:
    limits = Limits(100.0, 4)
    turns: list[Turn] = []

    async def main() -> float:
        tasks = [asyncio.create_task(take(limits, key, turns)) for key in "aaaaaaaab"]
        await asyncio.sleep(0.025)
        limits.hold("a", 0.2, "http_429")
        limits.hold("a", 0.1, "http_503")  # a shorter one does not shorten it
        held_at = time.monotonic()
        assert 0.15 < limits.held_s("a") <= 0.2
        assert limits.held_s("b") == limits.held_s("unknown") == 0.0
        await asyncio.gather(*tasks)
        return held_at

    held_at = asyncio.run(main())
    after = sorted(turn for turn in turns if turn[0] > held_at)
    assert len(after) >= 4
    assert after[0][0] >= held_at + 0.199
    assert min(gaps(after)) >= 0.01


def test_a_hold_counts_for_who_waits_for_a_place_among_all_hosts() -> None:
    limits = Limits(None, 2, total_concurrency=1)
    turns: list[Turn] = []

    async def main() -> float:
        other = asyncio.create_task(take(limits, "b", turns, 0.05))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(take(limits, "a", turns))
        await asyncio.sleep(0.01)
        limits.hold("a", 0.15, "http_429")
        held_at = time.monotonic()
        await other
        await asyncio.wait_for(take(limits, "c", turns), 0.05)  # the place is not kept for the host that is closed
        await waiting
        return held_at

    held_at = asyncio.run(main())
    assert next(turn for turn in turns if turn[2] == "a")[0] >= held_at + 0.149
    assert limits._total_slots._value == 1


def test_who_gives_up_while_waiting_for_the_rate_of_all_hosts() -> None:
    limits = Limits(None, 2, total_rate_per_s=1.0, total_concurrency=2)

    async def main() -> None:
        await take(limits, "a", [])
        waiting = asyncio.create_task(take(limits, "b", []))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(main())
    assert limits._total_slots._value == 2


def test_a_hold_that_is_too_long_fails_everybody_at_once() -> None:
    limits = Limits(100.0, 2, max_wait_s=5.0)

    async def one() -> str:
        try:
            async with limits.turn("a"):
                await asyncio.sleep(0.05)
                limits.hold("a", 60.0, "http_429")
                return "served"
        except BadItem as bad:
            return f"{bad.reason}: {bad.message}"

    async def main() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(8)))

    began = time.monotonic()
    served = asyncio.run(main())
    assert time.monotonic() - began < 1.0
    assert sorted(served) == ["http_429: a asks to be left alone for another 60 s"] * 6 + ["served"] * 2


def test_crawl_delay_spaces_more_never_less() -> None:
    limits = Limits(100.0, 4)
    limits.slow_down("a", 0.05)
    limits.slow_down("a", 0.001)
    turns = turns_of(limits, ["a"] * 4 + ["b"] * 4)
    assert min(gaps([turn for turn in turns if turn[2] == "a"])) >= 0.05
    assert max(gaps([turn for turn in turns if turn[2] == "b"])) < 0.04


def test_who_gives_up_takes_no_place() -> None:
    """Cancelled at random moments: all places are free again, and the rest is served."""
    limits = Limits(2000.0, 2, total_rate_per_s=3000.0, total_concurrency=3)
    rng = random.Random(7)

    async def main() -> int:
        turns: list[Turn] = []
        tasks = [asyncio.create_task(take(limits, f"host{i % 3}", turns, 0.002)) for i in range(300)]
        for _ in range(60):
            await asyncio.sleep(rng.random() * 0.002)
            rng.choice(tasks).cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert most_at_a_time(turns) <= 3
        return sum(result is None for result in results) - len(turns)

    assert asyncio.run(main()) == 0
    assert limits._total_slots._value == 3
    assert all((gate.users, gate.slots._value, gate.lock.locked()) == (0, 2, False) for gate in limits._gates.values())


def test_an_error_within_a_turn_gives_it_back() -> None:
    limits = Limits(None, 1, total_concurrency=1)

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(BadItem):
                async with limits.turn("a"):
                    raise BadItem("x", "y")

    asyncio.run(asyncio.wait_for(main(), 1.0))


def test_a_million_hosts_are_not_remembered() -> None:
    limits = Limits(1e6, 1)

    async def main() -> None:
        for i in range(5000):
            async with limits.turn(f"host{i}"):
                pass
        limits.hold("held", 60.0, "http_429")
        for i in range(5000):
            async with limits.turn(f"other{i}"):
                pass

    asyncio.run(main())
    assert len(limits._gates) <= 2048
    assert limits.held_s("held") > 50


def test_nobody_has_a_turn_while_all_is_paused() -> None:
    """Storing is slower than fetching: what waited does not come at once when it goes on."""
    limits = Limits(50.0, 8, total_concurrency=2)
    turns: list[Turn] = []

    async def main() -> float:
        limits.pause()
        waiting = [asyncio.create_task(take(limits, key, turns)) for key in ("a", "a", "a", "b", "b", "c")]
        await asyncio.sleep(0.1)
        assert turns == []
        went_on = time.monotonic()
        limits.resume()
        await asyncio.gather(*waiting)
        return went_on

    went_on = asyncio.run(main())
    assert min(began for began, _, _ in turns) >= went_on
    for key, count in (("a", 3), ("b", 2), ("c", 1)):
        of_host = sorted(turn for turn in turns if turn[2] == key)
        assert len(of_host) == count
        assert all(gap >= 0.02 for gap in gaps(of_host))
