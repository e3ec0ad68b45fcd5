"""Joins find every pair, whatever the hashes and vectors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.curate import hamming
from imagelake.curate.hamming import hamming_join, hamming_pairs
from imagelake.curate.knn import cosine_pairs, nearest_to_all


@given(st.integers(0, 2**32), st.integers(0, 400), st.integers(0, 63), st.integers(1, 64), st.booleans())
@settings(deadline=None)
def test_hamming_recall_is_one(seed: int, count: int, distance: int, varying: int, cut: bool) -> None:
    rng = np.random.default_rng(seed)
    hashes = np.unique(rng.integers(0, 2**varying, count, dtype=np.uint64, endpoint=False))
    rng.shuffle(hashes)
    saved, hamming._PER_BUCKET = hamming._PER_BUCKET, 0 if cut else hamming._PER_BUCKET
    try:
        pairs = hamming_pairs(hashes, distance)
        joined = hamming_join(hashes[: count // 3], hashes, distance)
    finally:
        hamming._PER_BUCKET = saved
    bits = np.bitwise_count(hashes[:, None] ^ hashes)
    for found, wanted in ((pairs, np.triu(bits <= distance, 1)), (joined, (bits <= distance)[: count // 3])):
        keys = found[0] * (count + 1) + found[1]
        i, j = np.nonzero(wanted)
        assert sorted(keys.tolist()) == sorted((i * (count + 1) + j).tolist())
        assert (found[2] == bits[found[0], found[1]]).all()


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 8), st.integers(1, 70))
@settings(deadline=None)
def test_neighbours_of_small_integers_with_many_ties(seed: int, count: int, d: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, (count, d)).astype(np.float32)
    vectors[~vectors.any(axis=1), 0] = 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    indices, cosines = nearest_to_all(vectors, k)
    kept = min(k, count - 1)
    assert indices.shape == cosines.shape == (count, kept)
    for row in range(count):
        others = np.delete(np.arange(count), row)
        ranked = others[np.argsort(-exact[row, others].round(5), kind="stable")][:kept]
        assert indices[row].tolist() == ranked.tolist()
        assert np.allclose(cosines[row], exact[row, ranked], atol=2e-6)
    i, j, _ = cosine_pairs(vectors, 0.6)
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [
        (a, b) for a in range(count) for b in range(a + 1, count) if exact[a, b].round(6) >= 0.6
    ]
