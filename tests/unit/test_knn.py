"""Neighbours and pairs by cosine: equal to comparing everything in double precision."""

import numpy as np
import pytest

from imagelake.curate import knn
from imagelake.curate.knn import cosine_pairs, nearest_by_lists, nearest_to_all


def directions(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def groups(count: int, of: int, seed: int = 0, d: int = 16) -> np.ndarray:
    """`count` groups of `of` alike vectors."""
    rng = np.random.default_rng(seed)
    return directions(np.repeat(rng.normal(size=(count, d)), of, axis=0) + 0.1 * rng.normal(size=(count * of, d)))


def cosines(vectors: np.ndarray) -> np.ndarray:
    return np.round(vectors.astype(np.float64) @ vectors.T.astype(np.float64), 6).clip(-1, 1)


def best(vectors: np.ndarray, k: int) -> np.ndarray:
    scores = cosines(vectors)
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("k", [1, 7, 30])
def test_nearest_are_those_of_all_pairs(k: int) -> None:
    vectors = groups(40, 10)
    indices, similarity = nearest_to_all(vectors, k)
    expected = best(vectors, k)
    exact = np.take_along_axis(cosines(vectors), expected, 1)
    np.testing.assert_allclose(similarity, exact, atol=2e-6)
    np.testing.assert_allclose(np.take_along_axis(cosines(vectors), indices, 1), exact, atol=2e-6)
    assert (indices == expected).mean() > 0.99
    assert not (indices == np.arange(400)[:, None]).any()


def test_equal_vectors_are_ordered_by_index() -> None:
    vectors = directions(np.repeat(np.eye(3, 8), [40, 5, 1], axis=0))
    indices, similarity = nearest_to_all(vectors, 3)
    assert indices[0].tolist() == [1, 2, 3]
    assert indices[1].tolist() == [0, 2, 3]
    assert indices[39].tolist() == [0, 1, 2]
    assert indices[42].tolist() == [40, 41, 43]
    assert indices[45].tolist() == [0, 1, 2]
    assert similarity[[0, 39, 42]].tolist() == [[1, 1, 1]] * 3
    assert similarity[45].tolist() == [0, 0, 0]


def test_of_equal_vectors_one_is_searched_and_not_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = groups(300, 1)
    vectors[::3] = vectors[0]
    vectors[1:200:3] = directions(vectors[0] + np.float32(1e-5) * groups(67, 1))  # as good as equal
    monkeypatch.setattr(knn, "_ROWS", 20)
    monkeypatch.setattr(knn, "_COLUMNS", 300)
    search, searched = knn._best, []
    monkeypatch.setattr(knn, "_best", lambda v, rows, k: searched.append(len(rows)) or search(v, rows, k))
    np.testing.assert_array_equal(nearest_to_all(vectors, 5)[0], best(vectors, 5))
    assert max(searched) == 20
    assert 67 < sum(searched) < 99 + 68


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_no_more_than_there_are(count: int) -> None:
    vectors = groups(count, 1) if count else np.empty((0, 16), np.float32)
    indices, similarity = nearest_to_all(vectors, 10**15)
    assert indices.shape == similarity.shape == (count, max(count - 1, 0))
    for i in range(count):
        assert sorted(indices[i]) == [j for j in range(count) if j != i]


@pytest.mark.parametrize("floor", [-1.0, 0.5, 0.97, 1.0])
def test_pairs_are_all_pairs(floor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "_ROWS", 7)
    monkeypatch.setattr(knn, "_COLUMNS", 50)
    vectors = np.concatenate([groups(20, 9), groups(20, 9)[:30]])
    i, j, similarity = cosine_pairs(vectors, floor)
    exact = cosines(vectors)
    expected = np.argwhere(np.triu(exact >= floor, 1))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == sorted(map(tuple, expected.tolist()))
    np.testing.assert_allclose(similarity, exact[i, j], atol=1e-6)
    assert len(i) >= 30


def test_no_pairs() -> None:
    assert [len(part) for part in cosine_pairs(directions(np.eye(5, 8)), 0.9)] == [0, 0, 0]
    assert [len(part) for part in cosine_pairs(np.empty((0, 8), np.float32), 0.9)] == [0, 0, 0]


def test_lists_find_what_they_say() -> None:
    vectors = groups(300, 12, d=32)
    (indices, similarity), recall = nearest_by_lists(vectors, 10)
    exact, _ = nearest_to_all(vectors, 10)
    measured = np.mean([np.isin(exact[i], indices[i]).mean() for i in range(len(vectors))])
    assert recall == pytest.approx(measured, abs=0.02)
    assert recall >= knn.TARGET_RECALL - 0.02
    assert not (indices == np.arange(len(vectors))[:, None]).any()
    assert (np.diff(similarity, axis=1) <= 0).all()
    there = indices >= 0
    rows = np.nonzero(there)[0]
    np.testing.assert_allclose(similarity[there], cosines(vectors)[rows, indices[there]], atol=2e-6)
    again, _ = nearest_by_lists(vectors, 10)
    np.testing.assert_array_equal(again[0], indices)


def test_recall_is_measured_not_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = directions(np.random.default_rng(0).normal(size=(3000, 64)))
    monkeypatch.setattr(knn, "_MOST_PROBES", 1)
    (indices, similarity), recall = nearest_by_lists(vectors, 30)
    exact, _ = nearest_to_all(vectors, 30)
    measured = np.mean([np.isin(exact[i], indices[i]).mean() for i in range(len(vectors))])
    assert recall == pytest.approx(measured, abs=0.05)
    assert recall < 0.5
    assert (similarity[indices < 0] == 0).all(), "lists shorter than k leave places empty"
    assert (indices < 0).any()
