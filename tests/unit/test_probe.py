"""Baselines: nobody judges himself or his copy, folds are even, votes add up."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from imagelake.curate.labels.knn_vote import knn_scores
from imagelake.curate.labels.probe import few_pictures, folds_of, probe_scores
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.unit.labelled import MODEL, NOW, blobs, given_of, given_of_onehot, image_id, put

NAMES = [f"c{k}" for k in range(6)]


@drawn(
    codes=st.lists(st.integers(0, 5), min_size=2, max_size=80),
    folds=st.integers(2, 7),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_folds_keep_groups_together_and_classes_even(
    codes: list[int], folds: int, seed: int, data: st.DataObject
) -> None:
    given = given_of(np.array(codes), NAMES)
    alone = folds_of(given, np.arange(len(codes)), folds, seed)
    for k in set(codes):
        counts = np.bincount(alone[given.codes == k], minlength=folds)
        assert counts.max() - counts.min() <= 1
    drawn_groups = data.draw(st.lists(st.integers(0, 9), min_size=len(codes), max_size=len(codes)))
    groups = np.unique(drawn_groups, return_inverse=True)[1]
    together = folds_of(given, groups, folds, seed)
    assert all(len(set(together[groups == g])) == 1 for g in set(groups.tolist()))
    assert set(together) <= set(range(folds))
    np.testing.assert_array_equal(together, folds_of(given, groups, folds, seed))


def test_the_seed_chooses_the_folds() -> None:
    given = given_of(np.arange(60) % 3, NAMES)
    groups = np.arange(60)
    assert (folds_of(given, groups, 5, 0) != folds_of(given, groups, 5, 1)).any()


def test_copies_count_once() -> None:
    given = given_of(np.array([0, 0, 0, 1, 1, 1]), ["many", "copies", "none"])
    assert few_pictures(given, np.array([0, 1, 2, 3, 3, 3]), 2) == ["copies", "none"]


@pytest.mark.parametrize("several", [False, True])
def test_an_image_does_not_judge_itself(several: bool) -> None:
    """With the folds as they are, another label changes the scores of others, never those of its own fold."""
    vectors, true = blobs(90, 3)
    folds = np.arange(90) % 3
    onehot = np.eye(3, dtype=np.bool_)[true]
    onehot[::7, 0] = True
    if several:
        changed = onehot.copy()
        changed[0] = ~changed[0]
        before, after = (probe_scores(vectors, given_of_onehot(x, NAMES[:3]), folds) for x in (onehot, changed))
    else:
        other = true.copy()
        other[0] = (other[0] + 1) % 3
        before, after = (probe_scores(vectors, given_of(x, NAMES[:3]), folds) for x in (true, other))
    np.testing.assert_array_equal(before[folds == 0], after[folds == 0])
    assert (before[folds != 0] != after[folds != 0]).any()


def test_the_probe_is_a_logistic_regression_on_standardised_vectors() -> None:
    vectors, true = blobs(120, 3, seed=1)
    folds = np.arange(120) % 4
    scores = probe_scores(vectors, given_of(true, NAMES[:3]), folds)
    features = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0) / 4  # sqrt(16)
    model = LogisticRegression(C=2.0, max_iter=300).fit(features[folds != 2], true[folds != 2])
    np.testing.assert_allclose(scores[folds == 2], model.predict_proba(features[folds == 2]), atol=1e-4)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == true).mean() > 0.95


def test_a_class_that_a_fold_does_not_know_has_no_chance() -> None:
    vectors, true = blobs(40, 2, seed=2)
    codes = true.copy()
    codes[0] = 2
    vectors[:, 5] = 0.5  # a number without spread
    folds = np.arange(40) % 2
    scores = probe_scores(vectors, given_of(codes, NAMES[:3]), folds)
    assert (scores[folds == 0, 2] == 0).all()
    assert (scores[folds == 1, 2] > 0).all()
    single = probe_scores(vectors, given_of(np.where(folds == 0, 0, 1), NAMES[:2]), folds)
    np.testing.assert_array_equal(single[folds == 0], np.tile([0, 1], (20, 1)))


def test_each_of_several_labels_has_its_own_probability() -> None:
    vectors, true = blobs(120, 4, seed=3)
    onehot = np.stack([true < 2, true % 2 == 0, np.ones(120, np.bool_)], axis=1)
    scores = probe_scores(vectors, given_of_onehot(onehot, NAMES[:3]), np.arange(120) % 4)
    assert ((scores[:, :2] > 0.5) == onehot[:, :2]).mean() > 0.95
    assert (scores[:, 2] == 1).all()


def neighbours(lake: Lake, links: list[tuple[int, int, float]]) -> None:
    ranks: dict[int, int] = {}
    rows = []
    for i, j, similarity in links:
        ranks[i] = ranks.get(i, 0) + 1
        ids = {"image_id": image_id(i), "other_id": image_id(j)}
        rows.append({"model_id": MODEL, **ids, "rank": ranks[i], "similarity": similarity, "computed_at": NOW})
    put(lake, "neighbours", rows)


def test_neighbours_vote(lake: Lake) -> None:
    neighbours(lake, [(0, 1, 0.9), (0, 2, 0.9), (0, 3, 0.83), (1, 0, 0.9), (1, 9, 0.8), (2, 9, 0.7)])
    given = given_of(np.array([0, 0, 1, 1]), ["a", "b"])
    with Session(lake) as session:
        scores, voted = knn_scores(session, MODEL, given, np.arange(4))
        np.testing.assert_array_equal(voted, [True, True, False, False])  # image 9 has no label
        far = np.exp(-1.0)  # 0.07 less alike
        np.testing.assert_allclose(scores[0], np.array([1 + 0.5, 1 + far + 0.5]) / (3 + far), rtol=1e-5)
        np.testing.assert_allclose(scores[1], [0.75, 0.25], rtol=1e-6)
        np.testing.assert_allclose(scores[2:], 0.5)
        # a copy does not vote, and the nearest is the nearest of the others
        scores, voted = knn_scores(session, MODEL, given, np.array([0, 0, 0, 1]))
        np.testing.assert_allclose(scores[0], [0.25, 0.75], rtol=1e-6)
        assert not voted[1]


def test_neighbours_vote_for_each_of_their_labels(lake: Lake) -> None:
    neighbours(lake, [(0, 1, 0.9), (0, 2, 0.9), (1, 2, 0.9)])
    onehot = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]], np.bool_)
    with Session(lake) as session:
        scores, _ = knn_scores(session, MODEL, given_of_onehot(onehot, ["a", "b", "c"]), np.arange(3))
    prior = onehot.mean(axis=0)
    np.testing.assert_allclose(scores[0], (np.array([1, 2, 1]) + prior) / 3, rtol=1e-6)
    np.testing.assert_allclose(scores[1], (np.array([0, 1, 1]) + prior) / 2, rtol=1e-6)


def test_votes_are_a_plain_sum_over_neighbours(lake: Lake) -> None:
    ids = [image_id(i) for i in range(12)]
    with Session(lake) as session:
        session.prepare("select * from neighbours")
        for seed in range(20):
            rng = np.random.default_rng(seed)
            codes, groups = rng.integers(0, 3, 12), rng.integers(0, 8, 12)
            order = [rng.permutation(np.delete(np.arange(12), i))[:5] for i in range(12)]
            cosines = -np.sort(-rng.random((12, 5)), axis=1)
            links = [(MODEL, ids[i], r + 1, ids[j], cosines[i, r]) for i in range(12) for r, j in enumerate(order[i])]
            names = ("model_id", "image_id", "rank", "other_id", "similarity")
            rows = [dict(zip(names, link, strict=True)) for link in links]
            session.con.register("rows", pa.Table.from_pylist(rows))
            session.con.execute("create or replace view neighbours as select * from rows")
            scores, _ = knn_scores(session, MODEL, given_of(codes, NAMES[:3]), groups)
            for i in range(12):
                may = [(cosines[i, r], codes[j]) for r, j in enumerate(order[i]) if groups[j] != groups[i]]
                expected = np.bincount(codes, minlength=3) / 12
                for cosine, k in may:
                    expected[k] += np.exp((cosine - max(may)[0]) / 0.07)
                np.testing.assert_allclose(scores[i], expected / expected.sum(), rtol=1e-4)
