"""Exact joins of 64-bit hashes by Hamming distance: arrays of hashes in, index pairs and their distances out.

Multi-index hashing (Norouzi, Punjani, Fleet: "Fast exact search in Hamming space with multi-index hashing", 2014,
section 3) with the general pigeonhole principle (Qin et al.: "GPH: similarity search in Hamming space", 2018, section
3): the 64 bits are cut into chunks; where the radii of the chunks, each plus one, add up to distance + 1, two hashes
within the distance are within the radius in at least one chunk. Hashes are sorted by a chunk, and each bucket of equal
chunks is compared with the buckets within the radius, in blocks.

How many chunks, and which radii, is chosen by counting the comparisons that the hashes at hand would need, so that
crowded buckets (real pictures share low frequencies) cost no more than comparing everything.
"""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]
_BITS = 64
_CUTS = (4, 5, 6, 7, 8, 10, 12, 16)  # into how many chunks; 4 of them have 65,536 buckets
_BUCKETS_PER_HASH = 1  # at most
_BLOCK = 1 << 18  # comparisons at a time: 2 MB, which a core's cache holds
_TASK = 1 << 23  # comparisons per task, and so the most pairs that one gives
_PER_BUCKET = 200_000  # what the handling of a bucket costs, in comparisons
# Neighbouring bits of a perceptual hash agree more often than others: mixed, they spread over the chunks.
_ORDER = np.random.Generator(np.random.PCG64(0)).permutation(_BITS)


@dataclass(frozen=True)
class _Chunk:
    """Some bits, and how many of them may differ; no bits: one bucket."""

    bits: tuple[int, ...]
    radius: int

    @property
    def mask(self) -> np.uint64:
        return np.uint64(sum(1 << bit for bit in self.bits))

    def keys(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The chunk of every hash, its bits side by side."""
        keys = np.zeros(len(hashes), np.uint64)
        for place, bit in enumerate(self.bits):
            keys |= ((hashes >> np.uint64(bit)) & np.uint64(1)) << np.uint64(place)
        return keys.astype(np.int64)


def hamming_pairs(hashes: NDArray[np.uint64], distance: int) -> Pairs:
    """All pairs of hashes that differ in at most `distance` bits.

    Args:
        hashes: uint64 (n,).
        distance: in bits, 0 to 63.

    Returns:
        i, j (int64, i < j) and the bits that differ (uint8), every pair once, in no particular order.
    """
    return _joined(hamming_pair_blocks(hashes, distance))


def hamming_join(queries: NDArray[np.uint64], hashes: NDArray[np.uint64], distance: int) -> Pairs:
    """All pairs of a query and a hash that differ in at most `distance` bits, as `hamming_pairs` gives them.

    Returns:
        Index of the query, index of the hash, bits that differ.
    """
    return _joined(_blocks(queries, hashes, distance, is_self=False))


def hamming_pair_blocks(hashes: NDArray[np.uint64], distance: int) -> Iterator[Pairs]:
    """What `hamming_pairs` gives, in parts."""
    for rows, columns, bits in _blocks(hashes, hashes, distance, is_self=True):
        yield np.minimum(rows, columns), np.maximum(rows, columns), bits


def _joined(blocks: Iterator[Pairs]) -> Pairs:
    parts = list(blocks)
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
    rows, columns, bits = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, bits


def _blocks(
    queries: NDArray[np.uint64], hashes: NDArray[np.uint64], distance: int, *, is_self: bool
) -> Iterator[Pairs]:
    if not 0 <= distance < _BITS:
        raise ValueError(f"distance is {distance}: 0 to {_BITS - 1} bits")
    if not (len(queries) and len(hashes)):
        return
    threads = len(os.sched_getaffinity(0))
    chunks = _plan(queries, hashes, distance)
    with ThreadPoolExecutor(threads) as pool:
        for number, chunk in enumerate(chunks):
            join = _Join(queries, hashes, distance, chunk, chunks[:number], is_self)
            tasks = iter(join.tasks())
            while window := list(itertools.islice(tasks, 4 * threads)):
                yield from (found for found in pool.map(join.run, window) if len(found[0]))


@cache
def _ball(bits: int, radius: int) -> NDArray[np.int64]:
    """All numbers of so many bits of which at most `radius` are set."""
    numbers = np.arange(1 << bits)
    return numbers[np.bitwise_count(numbers) <= radius]


def _plan(queries: NDArray[np.uint64], hashes: NDArray[np.uint64], distance: int) -> list[_Chunk]:
    """The cheapest of the ways to cut: into 4 to 16 chunks, or not at all."""
    best, lowest = [_Chunk((), 0)], float(len(queries)) * len(hashes)
    for count in _CUTS:
        groups = [tuple(int(b) for b in part) for part in np.array_split(_ORDER, count)]
        if 1 << len(groups[0]) > _BUCKETS_PER_HASH * len(hashes):
            continue
        chunks, cost = _radii(groups, queries, hashes, distance)
        if cost < lowest:
            best, lowest = chunks, cost
    return best


def _radii(
    groups: list[tuple[int, ...]], queries: NDArray[np.uint64], hashes: NDArray[np.uint64], distance: int
) -> tuple[list[_Chunk], float]:
    """Radii for given chunks: each of the distance + 1 steps goes to the chunk where it costs least.

    The costs are convex where hashes are spread evenly, and near to it elsewhere, so that no other radii cost less.
    """
    counts = [_counts(bits, queries, hashes) for bits in groups]
    radii, costs = [-1] * len(groups), [0.0] * len(groups)
    after = [_cost(*count, 0) for count in counts]
    for _ in range(distance + 1):
        cheapest = min(range(len(groups)), key=lambda g: after[g] - costs[g])
        radii[cheapest] += 1
        costs[cheapest] = after[cheapest]
        after[cheapest] = _cost(*counts[cheapest], radii[cheapest] + 1)
    chunks = [_Chunk(bits, radius) for bits, radius in zip(groups, radii, strict=True) if radius >= 0]
    return chunks, sum(costs)


def _counts(
    bits: tuple[int, ...], queries: NDArray[np.uint64], hashes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    chunk, buckets = _Chunk(bits, 0), 1 << len(bits)
    of_hashes = np.bincount(chunk.keys(hashes), minlength=buckets)
    return of_hashes if queries is hashes else np.bincount(chunk.keys(queries), minlength=buckets), of_hashes


def _cost(queries: NDArray[np.int64], hashes: NDArray[np.int64], radius: int) -> float:
    """Comparisons that a chunk needs, from the sizes of its buckets."""
    size = len(queries)
    if radius > 3 or radius >= size.bit_length() - 1:
        return float("inf")
    numbers = np.arange(size)
    compared = sum(float(queries @ hashes[numbers ^ mask]) for mask in _ball(size.bit_length() - 1, radius))
    return compared + float(_PER_BUCKET * np.count_nonzero(queries))


class _Join:
    """Queries and hashes by one chunk.

    Args:
        queries: uint64 (m,).
        hashes: uint64 (n,).
        distance: in bits.
        chunk: by which they are sorted.
        earlier: the chunks that were joined by before; pairs that those found are left out.
        is_self: queries and hashes are the same; a pair is wanted once.
    """

    def __init__(
        self,
        queries: NDArray[np.uint64],
        hashes: NDArray[np.uint64],
        distance: int,
        chunk: _Chunk,
        earlier: list[_Chunk],
        is_self: bool,
    ) -> None:
        self._distance, self._earlier, self._is_self = distance, earlier, is_self
        self._ball = _ball(len(chunk.bits), chunk.radius)
        keys = chunk.keys(hashes)
        self._order = np.argsort(keys, kind="stable")
        self._hashes = hashes[self._order]
        self._starts = np.searchsorted(keys[self._order], np.arange((1 << len(chunk.bits)) + 1))
        if is_self:
            self._rows, self._queries, self._keys = self._order, self._hashes, keys[self._order]
            return
        keys = chunk.keys(queries)
        self._rows = np.argsort(keys, kind="stable")
        self._queries, self._keys = queries[self._rows], keys[self._rows]

    def tasks(self) -> Iterator[list[tuple[int, int]]]:
        """Ranges of sorted queries, each within one bucket, gathered to tasks of about equal work."""
        edges = np.flatnonzero(np.diff(self._keys, prepend=-1, append=-1))
        task: list[tuple[int, int]] = []
        work = 0
        for start, end in itertools.pairwise(edges.tolist()):
            near = self._near(int(self._keys[start]))
            candidates = max(int((self._starts[near + 1] - self._starts[near]).sum()), 1)
            step = max(_TASK // candidates, 1)
            for first in range(start, end, step):
                last = min(first + step, end)
                task.append((first, last))
                work += (last - first) * candidates
                if work >= _TASK:
                    yield task
                    task, work = [], 0
        if task:
            yield task

    def _near(self, key: int) -> NDArray[np.int64]:
        near = self._ball ^ key
        return near[near >= key] if self._is_self else near

    def run(self, task: list[tuple[int, int]]) -> Pairs:
        """Compare the queries of a task with all hashes in the buckets near theirs."""
        return _joined(found for start, end in task for found in self._compare(start, end))

    def _compare(self, start: int, end: int) -> Iterator[Pairs]:
        near = self._near(int(self._keys[start]))
        spans = zip(self._starts[near].tolist(), self._starts[near + 1].tolist(), strict=True)
        places = np.concatenate([np.arange(a, b) for a, b in spans if b > a] or [np.empty(0, np.int64)])
        for first in range(0, len(places), _BLOCK):
            part = places[first : first + _BLOCK]
            step = max(_BLOCK // len(part), 1)
            for row in range(start, end, step):
                yield self._hits(row, min(row + step, end), part)

    def _hits(self, start: int, end: int, places: NDArray[np.int64]) -> Pairs:
        candidates = self._hashes[places]
        bits = np.bitwise_count(self._queries[start:end, None] ^ candidates).ravel()
        hits = np.flatnonzero(bits <= self._distance)
        rows, columns = hits // len(places) + start, places[hits % len(places)]
        new = columns > rows if self._is_self else np.ones(len(hits), np.bool_)
        differing = self._queries[rows] ^ self._hashes[columns]
        for chunk in self._earlier:
            new &= np.bitwise_count(differing & chunk.mask) > chunk.radius
        return self._rows[rows[new]], self._order[columns[new]], bits[hits[new]]
