"""Label issues: the flags and scores are cleanlab's own, for one label per image and for several."""

import numpy as np
import pytest
from cleanlab.dataset import rank_classes_by_label_quality
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_label_issues as find_multilabel_issues
from cleanlab.multilabel_classification.rank import get_label_quality_scores as multilabel_quality
from cleanlab.rank import get_label_quality_scores
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.labels.issues import FILTERS, judge, most_confused
from imagelake.curate.labels.rows import class_rows, entropy, issue_rows, prediction_rows
from imagelake.curate.labels.scores import Scores
from imagelake.errors import UsageError
from imagelake.lake.tables import table_def
from tests.unit.labelled import given_of, given_of_onehot, image_id

NAMES = ["ant", "bee", "cat", "dog"]


def noisy(seed: int, count: int = 200, classes: int = 4) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, a tenth of them wrong, and probabilities of a fair model."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, count)
    scores = rng.dirichlet(np.full(classes, 0.5), count)
    scores[np.arange(count), true] += 1
    codes = true.copy()
    codes[: count // 10] = (codes[: count // 10] + 1) % classes
    return codes, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def noisy_onehot(seed: int, count: int = 200) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    true = rng.random((count, 4)) < 0.3
    scores = np.clip(true * 0.6 + rng.random((count, 4)) * 0.4, 0, 1).astype(np.float32)
    onehot = true.copy()
    onehot[: count // 10, 0] ^= True
    return onehot, scores


@pytest.mark.parametrize("rule", FILTERS)
def test_one_label_per_image_as_cleanlab_itself(rule: str) -> None:
    codes, scores = noisy(1)
    judged = judge(given_of(codes, NAMES), Scores("m", scores, False), rule)
    assert judged.is_issue.sum() > 5
    np.testing.assert_array_equal(judged.is_issue, find_label_issues(codes, scores, filter_by=rule, n_jobs=1))
    np.testing.assert_array_equal(judged.quality, get_label_quality_scores(codes, scores).astype(np.float64))
    classes = rank_classes_by_label_quality(codes, scores).sort_values("Class Index")
    np.testing.assert_allclose(judged.noise, classes["Label Noise"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(judged.inverse_noise, classes["Inverse Label Noise"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", [rule for rule in FILTERS if not rule.startswith("low_")])
def test_several_labels_per_image_as_cleanlab_itself(rule: str) -> None:
    onehot, scores = noisy_onehot(2)
    lists = [np.flatnonzero(row).tolist() for row in onehot]
    judged = judge(given_of_onehot(onehot, NAMES), Scores("m", scores, True), rule)
    assert judged.is_issue.sum() > 5
    np.testing.assert_array_equal(judged.is_issue, find_multilabel_issues(lists, scores, filter_by=rule, n_jobs=1))
    np.testing.assert_array_equal(judged.quality, multilabel_quality(lists, scores).astype(np.float64))


@pytest.mark.filterwarnings("ignore:May not flag all label issues")  # cleanlab, called directly
@settings(max_examples=25, deadline=None)
@drawn(seed=st.integers(0, 10_000), count=st.integers(20, 120), classes=st.integers(2, 6))
def test_any_labels_as_cleanlab_itself(seed: int, count: int, classes: int) -> None:
    codes, scores = noisy(seed, count, classes)
    names = [f"c{k}" for k in range(classes)]
    judged = judge(given_of(codes, names), Scores("m", scores, False))
    np.testing.assert_array_equal(judged.is_issue, find_label_issues(codes, scores, n_jobs=1))
    assert ((judged.quality >= 0) & (judged.quality <= 1)).all()


def test_a_class_without_labels_and_one_with_a_single_image() -> None:
    codes, scores = noisy(3, classes=3)
    codes[5] = 3
    padded = np.hstack([scores, np.zeros((len(codes), 2), np.float32)])
    judged = judge(given_of(codes, [*NAMES, "eel"]), Scores("m", padded, False))
    assert np.isnan(judged.noise[4])
    assert judged.is_issue[:20].sum() > 10
    # with several labels per image, a class on all images or on none tells nothing
    onehot, scores = noisy_onehot(3)
    onehot[:, 2], onehot[:, 3] = True, False
    judged = judge(given_of_onehot(onehot, NAMES), Scores("m", scores, True))
    assert judged.unjudged == ["cat", "dog"]
    assert np.isnan(judged.noise[3])
    lists = [np.flatnonzero(row[:2]).tolist() for row in onehot]
    np.testing.assert_array_equal(judged.is_issue, find_multilabel_issues(lists, scores[:, :2], n_jobs=1))


def test_one_class_that_tells_something_is_judged_alone() -> None:
    onehot, scores = noisy_onehot(3)
    onehot[:, 1:] = True
    judged = judge(given_of_onehot(onehot, NAMES), Scores("m", scores, True))
    assert judged.unjudged == ["bee", "cat", "dog"]
    alone, two = onehot[:, 0].astype(int), np.stack([1 - scores[:, 0], scores[:, 0]], axis=1)
    np.testing.assert_array_equal(judged.is_issue, find_label_issues(alone, two, n_jobs=1))
    np.testing.assert_allclose(judged.quality, get_label_quality_scores(alone, two), rtol=1e-6)


def test_what_cannot_be_judged_is_said_in_one_line() -> None:
    codes, scores = noisy(4)
    with pytest.raises(UsageError, match="all images are 'ant'"):
        judge(given_of(codes * 0, NAMES), Scores("m", scores, False))
    onehot, several = noisy_onehot(4)
    with pytest.raises(UsageError, match="low_self_confidence is for one label"):
        judge(given_of_onehot(onehot, NAMES), Scores("m", several, True), "low_self_confidence")
    with pytest.raises(UsageError, match="on all images or on none"):
        judge(given_of_onehot(onehot | True, NAMES), Scores("m", several, True))


def test_classes_that_are_confused() -> None:
    codes = np.array([0] * 10 + [1] * 10)
    scores = np.full((20, 3), 0.05, np.float32)
    scores[np.arange(20), codes] = 0.9
    scores[:3] = [0.05, 0.05, 0.9]  # three ants are cats, and one bee is an ant
    scores[10] = [0.9, 0.05, 0.05]
    given = given_of(codes, NAMES[:3])
    judged = judge(given, Scores("m", scores, False), "predicted_neq_given")
    assert most_confused(given, judged) == ["cat", "ant", None]
    rows = class_rows(given, Scores("m", scores, False), judged, "r").to_pylist()
    assert [(r["label"], r["images"], r["issues"], r["most_confused_with"]) for r in rows] == [
        ("ant", 10, 3, "cat"),
        ("bee", 10, 1, "ant"),
        ("cat", 0, 0, None),
    ]
    assert rows[2]["label_noise"] is None
    assert rows[2]["label_quality"] is None


def test_with_several_labels_only_given_ones_are_confused() -> None:
    onehot, scores = noisy_onehot(5)
    given = given_of_onehot(onehot, NAMES)
    judged = judge(given, Scores("m", scores, True))
    wrong = set(zip(given.rows[judged.wrong].tolist(), given.codes[judged.wrong].tolist(), strict=True))
    assert wrong
    assert all(onehot[i, k] for i, k in wrong)
    expected = []
    for k in range(4):
        instead = np.zeros(4)
        for i, code in wrong:
            if code == k:
                instead += (scores[i] >= 0.5) & ~onehot[i]
        expected.append(NAMES[int(instead.argmax())] if instead.any() else None)
    assert most_confused(given, judged) == expected


def fifty(*, several: bool) -> tuple[Given, Scores]:
    if several:
        onehot, values = noisy_onehot(6, 50)
        return given_of_onehot(onehot, NAMES), Scores("m", values, True)
    codes, values = noisy(6, 50)
    return given_of(codes, NAMES), Scores("m", values, False)


@pytest.mark.parametrize("several", [False, True])
def test_rows_say_what_the_arrays_say(several: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagelake.curate.labels.rows._ROWS", 7)
    monkeypatch.setattr("imagelake.curate.labels.rows._VALUES", 40)
    given, scores = fifty(several=several)
    onehot, values = given.onehot(), scores.values
    judged = judge(given, scores)
    rows = [row for table in issue_rows(given, scores, judged, "r") for row in table.to_pylist()]
    for i, row in enumerate(rows):
        chosen = values[i] >= 0.5 if several else np.arange(4) == values[i].argmax()
        assert row["image_id"] == image_id(i)
        assert row["given_labels"] == [NAMES[k] for k in np.flatnonzero(onehot[i])]
        assert row["suggested_labels"] == [NAMES[k] for k in np.flatnonzero(chosen)]
        assert (row["label_quality"], row["is_issue"]) == (judged.quality[i], judged.is_issue[i])
    assert len(rows) == 50
    folds = np.arange(50) % 3
    written = [row for table in prediction_rows(given, scores, folds, "r") for row in table.to_pylist()]
    for i, row in enumerate(written):
        assert (row["image_id"], row["classes"], row["fold"]) == (image_id(i), NAMES, i % 3)
        assert row["scores"] == values[i].tolist()
        assert row["predicted"] == NAMES[int(values[i].argmax())]
        assert row["margin"] == pytest.approx(np.sort(values[i])[-1] - np.sort(values[i])[-2])
        assert (row["is_multilabel"], row["is_out_of_sample"]) == (several, True)
    assert len(written) == 50
    assert set(table_def("predictions").schema.names) == set(written[0])


@drawn(data=st.data(), count=st.integers(1, 12), several=st.booleans())
def test_some_of_the_labels_are_what_they_were(data: st.DataObject, count: int, several: bool) -> None:
    onehot = np.zeros((count, 4), np.bool_)
    for i in range(count):
        onehot[i, data.draw(st.sets(st.integers(0, 3), min_size=1, max_size=4 if several else 1).map(list))] = True
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    given = given_of_onehot(onehot, NAMES)
    some = given.of_images(keep)
    np.testing.assert_array_equal(some.onehot(), onehot[keep])
    assert some.image_ids.to_pylist() == [image_id(i) for i in np.flatnonzero(keep)]
    turned = given.of_classes(["dog", "eel", "bee"])
    stay = onehot[:, [3, 1]].any(axis=1)
    expected = np.stack([onehot[stay, 3], np.zeros(stay.sum(), np.bool_), onehot[stay, 1]], axis=1)
    np.testing.assert_array_equal(turned.onehot(), expected)
    assert turned.image_ids.to_pylist() == [image_id(i) for i in np.flatnonzero(stay)]


def test_entropy_in_nats() -> None:
    even = np.full((1, 4), 0.25, np.float32)
    assert entropy(even, is_multilabel=False) == pytest.approx(np.log(4))
    assert entropy(np.float32([[1, 0]]), is_multilabel=False) == 0
    assert entropy(np.float32([[0.5, 0.5, 1]]), is_multilabel=True) == pytest.approx(2 * np.log(2))
