"""The Hamming join: equal to comparing everything, on even, crowded and near-identical hashes."""

import numpy as np
import pytest

from imagelake.curate import hamming
from imagelake.curate.hamming import hamming_join, hamming_pair_blocks, hamming_pairs

Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(found: Found) -> list[tuple[int, ...]]:
    return sorted(zip(*(part.tolist() for part in found), strict=True))


def all_pairs(hashes: np.ndarray, distance: int) -> list[tuple[int, ...]]:
    bits = np.bitwise_count(hashes[:, None] ^ hashes)
    i, j = np.nonzero(np.triu(bits <= distance, 1))
    return rows((i, j, bits[i, j]))


def even(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def flipped(hashes: np.ndarray, times: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    for _ in range(times):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64))
    return hashes


KINDS = {
    "even, with look-alikes": np.concatenate([even(2000), flipped(even(2000), 9)]),
    "few bits vary": np.unique(even(1000) & np.uint64(0xFFFFF)),
    "one crowd": np.unique(np.concatenate([even(2000), flipped(np.repeat(even(1, 5), 900), 4)])),
    "eight crowds": np.unique(flipped(np.repeat(even(8), 300), 6)),
    "consecutive": np.arange(900, dtype=np.uint64),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", [0, 3, 10])
def test_pairs_are_all_pairs(kind: str, distance: int) -> None:
    hashes = np.random.default_rng(2).permutation(KINDS[kind])
    found = hamming_pairs(hashes, distance)
    assert [part.dtype for part in found] == [np.int64, np.int64, np.uint8]
    assert rows(found) == all_pairs(hashes, distance)


@pytest.mark.parametrize("chunks", [4, 5, 7, 16])
def test_every_way_to_cut_gives_the_same(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.concatenate([even(400), flipped(even(400), 5)])
    monkeypatch.setattr(hamming, "_CUTS", (chunks,))
    monkeypatch.setattr(hamming, "_PER_BUCKET", 0)
    monkeypatch.setattr(hamming, "_BUCKETS_PER_HASH", 1 << 16)
    monkeypatch.setattr(hamming, "_BLOCK", 64)
    monkeypatch.setattr(hamming, "_TASK", 5000)
    assert len(hamming._plan(hashes, hashes, 8)) > 1
    assert rows(hamming_pairs(hashes, 8)) == all_pairs(hashes, 8)
    parts = list(hamming_pair_blocks(hashes, 8))
    assert len(parts) > 1
    assert rows(hamming._joined(iter(parts))) == all_pairs(hashes, 8)


@pytest.mark.parametrize("per_bucket", [0, 10**6], ids=["buckets", "one bucket"])
def test_join_of_two_sides(per_bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "_PER_BUCKET", per_bucket)
    hashes = even(3000)
    queries = np.concatenate([flipped(hashes[:400], 7), hashes[:50]])
    bits = np.bitwise_count(queries[:, None] ^ hashes)
    i, j = np.nonzero(bits <= 7)
    assert (len(hamming._plan(queries, hashes, 7)) > 1) == (per_bucket == 0)
    assert rows(hamming_join(queries, hashes, 7)) == rows((i, j, bits[i, j]))
    assert len(i) >= 450


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    assert [len(part) for part in hamming_pairs(even(count), 10)] == [0, 0, 0]
    assert [len(part) for part in hamming_join(even(3), even(0), 10)] == [0, 0, 0]


@pytest.mark.parametrize("distance", [-1, 64])
def test_impossible_distances_are_refused(distance: int) -> None:
    with pytest.raises(ValueError, match="0 to 63 bits"):
        hamming_pairs(even(2), distance)


def test_a_large_distance_compares_everything() -> None:
    hashes = even(300)
    assert rows(hamming_pairs(hashes, 30)) == all_pairs(hashes, 30)
