"""`curate consensus`: what several annotators say becomes one label, as cleanlab settles it; mistakes are one line."""

import numpy as np
import pytest
from cleanlab.multiannotator import get_label_quality_multiannotator, get_majority_vote_label
from hypothesis import assume, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from numpy.typing import NDArray

from imagelake.command import run_job
from imagelake.curate.labels.consensus import Votes, settle
from imagelake.curate.labels.scores import Scores
from imagelake.errors import UsageError
from imagelake.jobs import curate_consensus, curate_label_issues
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from tests.unit.labelled import blobs, image_id, label, prediction, put, put_vectors, select

CLASSES = ["ant", "bee", "cat"]
PEOPLE = ["ann", "bob", "eve"]


def consensus(lake: Lake, **options: object) -> RunReport:
    return curate_consensus.run(curate_consensus.Config(lake.root, **{"task": "animal", **options}), lake)


def refused(lake: Lake, match: str, **options: object) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        consensus(lake, **options)
    assert "\n" not in str(caught.value)
    assert select(lake, "select count(*) from consensus_labels") == [(0,)]


def said_of(count: int, seed: int = 0, errors: tuple[float, ...] = (0.05, 0.1, 0.4)) -> NDArray[np.float64]:
    """Three annotators, each with a share of errors; some leave out images. Images 0, 3, ... are ants, and so on."""
    rng = np.random.default_rng(seed)
    said = np.tile((np.arange(count) % 3)[:, None], (1, len(errors))).astype(float)
    wrong = rng.random(said.shape) < errors
    said[wrong] = (said[wrong] + 1) % 3
    said[rng.random(said.shape) < 0.2] = np.nan
    said[:, 0] = np.where(np.isnan(said).all(axis=1), np.arange(count) % 3, said[:, 0])
    return said


def put_votes(lake: Lake, said: NDArray[np.float64], *more: dict[str, object]) -> None:
    rows = [label(i, CLASSES[int(said[i, m])], PEOPLE[m]) for i, m in zip(*np.nonzero(~np.isnan(said)), strict=True)]
    put(lake, "labels", [*rows, *more])


def scores_of(count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    scores = rng.dirichlet(np.ones(3), count)
    scores[np.arange(count), np.arange(count) % 3] += 1
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def test_with_predictions_as_cleanlab_itself(lake: Lake) -> None:
    said, scores = said_of(90), scores_of(90)
    put_votes(lake, said)
    turned = [prediction(i, row[::-1].tolist(), CLASSES[::-1]) for i, row in enumerate(scores)]
    put(lake, "predictions", turned)  # the model's order of the classes is its own
    report = consensus(lake)
    expected = get_label_quality_multiannotator(said, scores, verbose=False)
    images, people = expected["label_quality"], expected["annotator_stats"].sort_index()
    found = select(
        lake,
        "select image_id, label, consensus_quality, agreement, annotators, model_id from consensus_labels order by all",
    )
    assert [row[0] for row in found] == [image_id(i) for i in range(90)]
    assert [row[1] for row in found] == [CLASSES[k] for k in images["consensus_label"]]
    np.testing.assert_allclose([row[2] for row in found], images["consensus_quality_score"], rtol=1e-12)
    np.testing.assert_allclose([row[3] for row in found], images["annotator_agreement"], rtol=1e-12)
    assert [row[4] for row in found] == images["num_annotations"].tolist()
    assert {row[5] for row in found} == {"m"}
    rows = select(
        lake, "select annotator, images, quality, agreement_with_consensus, worst_class from annotators order by 1"
    )
    assert [row[0] for row in rows] == PEOPLE
    assert [row[1] for row in rows] == people["num_examples_labeled"].tolist()
    np.testing.assert_allclose([row[2] for row in rows], people["annotator_quality"], rtol=1e-6)
    np.testing.assert_allclose([row[3] for row in rows], people["agreement_with_consensus"], rtol=1e-12)
    assert [row[4] for row in rows] == [CLASSES[int(k)] for k in people["worst_class"]]
    assert (report.read, report.written) == (90, 90)
    assert report.details["method"] == "CROWDLAB with m"
    assert str(report.details["least quality"]).startswith("eve 0.")


def test_without_predictions_by_majority(lake: Lake) -> None:
    said = said_of(60)
    put_votes(lake, said)
    assert consensus(lake).details["method"] == "majority vote"
    found = select(lake, "select label, agreement, consensus_quality, model_id from consensus_labels order by image_id")
    winners = get_majority_vote_label(said, verbose=False)
    assert [row[0] for row in found] == [CLASSES[k] for k in winners]
    agreement = (said == winners[:, None]).sum(axis=1) / (~np.isnan(said)).sum(axis=1)
    np.testing.assert_allclose([row[1] for row in found], agreement)
    assert all(row[1] == row[2] and row[3] is None for row in found)
    first = select(lake, "select * exclude (run_id, computed_at) from consensus_labels order by all")
    consensus(lake)
    assert select(lake, "select * exclude (run_id, computed_at) from consensus_labels order by all") == first
    assert select(lake, "select count(*), count(distinct run_id) from annotators") == [(3, 1)]


def test_a_majority_vote_can_be_asked_for(lake: Lake) -> None:
    put_votes(lake, said_of(30))
    put(lake, "predictions", [prediction(i, row.tolist(), CLASSES) for i, row in enumerate(scores_of(20))])
    report = consensus(lake)
    assert report.written == 20
    assert report.details["without an out-of-sample prediction (settle them with --majority)"] == 10
    assert consensus(lake, majority=True).details["method"] == "majority vote"
    assert select(lake, "select count(*), count(model_id) from consensus_labels") == [(30, 0)]


def test_from_votes_to_label_issues_and_back(lake: Lake) -> None:
    """The round of the documentation: vote, look for issues of the consensus, settle with the probe's predictions."""
    vectors, true = blobs(90, 3)
    said = np.tile(true[:, None], (1, 3)).astype(float)
    said[:9, 2] = (said[:9, 2] + 1) % 3
    said[0] = (true[0] + 1) % 3  # all three are wrong
    put_vectors(lake, vectors)
    put_votes(lake, said)
    consensus(lake)
    issues = curate_label_issues.run(curate_label_issues.Config(lake.root, "animal", consensus=True), lake)
    assert issues.written == 90
    assert select(lake, "select image_id from label_issues where is_issue") == [(image_id(0),)]
    report = consensus(lake)
    assert report.details["method"] == "CROWDLAB with probe:descriptor:test@1"
    agreed = select(lake, "select label from consensus_labels order by image_id")
    assert [row[0] for row in agreed][1:] == [CLASSES[k] for k in true][1:]


@pytest.mark.parametrize("kind", ["probe", "knn"])
def test_a_class_that_the_baseline_does_not_know_is_settled_all_the_same(lake: Lake, kind: str) -> None:
    vectors, true = blobs(90, 3)
    put_vectors(lake, vectors)
    said = np.tile(true[:, None], (1, 3)).astype(float)
    said[0, 2] = np.nan
    put_votes(lake, said, label(0, "zebra", "eve"))
    consensus(lake)
    curate_label_issues.run(curate_label_issues.Config(lake.root, "animal", consensus=True, baseline=kind), lake)
    assert consensus(lake).written == 90
    found = select(lake, "select label, consensus_quality, agreement from consensus_labels order by image_id")
    assert [row[0] for row in found] == [CLASSES[k] for k in true]
    assert found[0][2] == pytest.approx(2 / 3)
    assert found[0][1] < min(row[1] for row in found[1:])
    assert select(lake, "select images from annotators where annotator = 'eve'") == [(90,)]


def test_an_annotator_who_contradicts_himself(lake: Lake) -> None:
    put_votes(lake, said_of(30), label(40, "ant"), label(40, "bee"), label(40, "ant", "bob"))
    refused(
        lake,
        f"contradict themselves on 1 images: ann says that {image_id(40)} is ant and bee. Label such images anew"
        ".*--skip-contradictions.*--multilabel --annotator ann",
    )
    report = consensus(lake, skip_contradictions=True)
    assert (report.written, report.details["images with contradicting labels, left out"]) == (30, 1)
    # who changes his mind does not contradict himself
    put_votes(lake, said_of(30), label(40, "ant"), label(40, "bee", minutes=1), label(40, "bee", "bob"))
    assert consensus(lake).written == 31


def test_what_cannot_be_settled(lake: Lake) -> None:
    refused(lake, "the lake has no labels")
    put(lake, "labels", [label(i, CLASSES[i % 3]) for i in range(9)])
    refused(lake, "only ann has labelled it")
    refused(lake, "no labels of task 'x': the lake has labels of animal", task="x")
    refused(lake, "give --task", task="")
    refused(lake, "one of --predictions, --majority", predictions="m", majority=True)
    put(lake, "labels", [label(0, "ant"), label(1, "ant", "bob")])
    refused(lake, "no image was labelled by two annotators")
    put(
        lake,
        "labels",
        [label(0, "ant"), label(0, "bee", "bob"), label(1, "bee"), label(1, "ant", "bob"), label(2, "ant")],
    )
    refused(lake, "the annotators agree on no image")
    put_votes(lake, said_of(30))
    put(lake, "predictions", [prediction(i, [0.9, 0.1], ["ant", "bee"]) for i in range(30)])
    refused(lake, r"labels that are no class of m: 'cat' \(.*or settle them with --majority$")
    put(lake, "predictions", [prediction(i, [0.9, 0.1, 0.9], CLASSES, is_multilabel=True) for i in range(30)])
    refused(lake, "are for several labels per image")


def test_all_of_one_class(lake: Lake) -> None:
    put(lake, "labels", [label(i, "ant", who) for i in range(3) for who in PEOPLE])
    assert consensus(lake).details["their agreement"] == "100.0%"


def test_on_the_command_line(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    put_votes(lake, said_of(30))
    assert run_job(curate_consensus, ["--lake", lake.root, "--task", "animal"], "imagelake curate consensus") == 0
    out = capsys.readouterr().out
    assert "curate consensus: 30 read, 30 written" in out
    assert "method: majority vote" in out


def votes_of(*said: tuple[float, ...]) -> Votes:
    return Votes("t", None, [str(m) for m in range(len(said[0]))], CLASSES, np.array(said, float))


def test_the_last_ties_fall_the_same_way_every_time() -> None:
    votes = votes_of((0, 0), (1, 1), *[(0, 1), (1, 0)] * 10)
    state = np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    first = settle(votes, None).codes.tolist()
    assert np.random.get_state()[1].tolist() == state  # type: ignore[union-attr]
    np.random.random(3)
    assert settle(votes, None).codes.tolist() == first
    assert set(first[2:]) == {0, 1}


def test_two_against_two_everywhere_is_no_consensus() -> None:
    with pytest.raises(UsageError, match="agree on no image"):
        settle(votes_of((0, 0, 1, 1), (1, 1, 0, 0)), None)


@settings(max_examples=60, deadline=None)
@drawn(data=st.data(), images=st.integers(1, 8), people=st.integers(2, 4), with_scores=st.booleans())
def test_any_votes_are_settled_or_refused(data: st.DataObject, images: int, people: int, with_scores: bool) -> None:
    """Whatever was said: a label that someone or the model favours, shares within 0 and 1, the same every time."""
    cell = st.sampled_from([np.nan, 0.0, 1.0, 2.0])
    said = np.array(
        data.draw(st.lists(st.lists(cell, min_size=people, max_size=people), min_size=images, max_size=images))
    )
    assume(not np.isnan(said).all(axis=1).any() and not np.isnan(said).all(axis=0).any())
    votes = Votes("t", None, [str(m) for m in range(people)], CLASSES, said)
    scores = Scores("m", scores_of(images), False) if with_scores else None
    try:
        settled = settle(votes, scores)
    except UsageError:
        counts = np.stack([(said == k).sum(axis=1) for k in range(3)], axis=1)
        untied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
        assert counts.max() < 2 or not untied.any()
        return
    if scores is None:
        assert all(code in row for code, row in zip(settled.codes, said, strict=True))
    for share in (settled.quality, settled.agreement, settled.agreed):
        assert ((share >= 0) & (share <= 1)).all()
    np.testing.assert_array_equal(settle(votes, scores).codes, settled.codes)
