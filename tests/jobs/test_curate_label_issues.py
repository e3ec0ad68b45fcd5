"""`curate label-issues`: on predictions of the lake, or on a baseline; every mistake is one line."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from subprocess import CompletedProcess

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from imagelake.command import run_job
from imagelake.curate.labels.probe import folds_of, probe_scores
from imagelake.errors import QueryError, UsageError
from imagelake.jobs import curate_label_issues
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.script import read_statement
from imagelake.lake.session import Session
from tests.unit.labelled import (
    MODEL,
    NOW,
    blobs,
    given_of,
    image_id,
    label,
    prediction,
    put,
    put_vectors,
    select,
)

CLASSES = ["ant", "bee", "cat"]


def judge(lake: Lake, **options: object) -> RunReport:
    return curate_label_issues.run(curate_label_issues.Config(lake.root, **{"task": "animal", **options}), lake)


def refused(lake: Lake, match: str, **options: object) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        judge(lake, **options)
    assert "\n" not in str(caught.value)
    assert select(lake, "select count(*) from label_issues") == [(0,)]


def planted(lake: Lake, count: int = 120, wrong: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around three centres, labels of which the first `wrong` are not true. Returns vectors and labels."""
    vectors, true = blobs(count, 3)
    codes = true.copy()
    codes[:wrong] = (codes[:wrong] + 1) % 3
    put_vectors(lake, vectors)
    put(lake, "labels", [label(i, CLASSES[k]) for i, k in enumerate(codes)])
    return vectors, codes


def predicted(lake: Lake, codes: Sequence[int], seed: int = 0, **facts: object) -> np.ndarray:
    """Predictions that mostly agree with the labels, and their scores."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), len(codes))
    scores[np.arange(len(codes)), codes] += 0.7
    scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    put(lake, "predictions", [prediction(i, row.tolist(), CLASSES, **facts) for i, row in enumerate(scores)])
    return scores


def test_predictions_of_the_lake_give_what_cleanlab_gives(lake: Lake) -> None:
    true = np.arange(150) % 3
    codes = np.where(true == np.arange(150) // 50, true, np.roll(true, 1))
    put(lake, "labels", [label(i, CLASSES[k]) for i, k in enumerate(codes)])
    scores = predicted(lake, true)
    report = judge(lake)
    rows = select(
        lake, "select image_id, label_quality, is_issue, given_labels, model_id, task from label_issues order by all"
    )
    flags = find_label_issues(codes, scores, n_jobs=1)
    assert flags.any()
    quality = get_label_quality_scores(codes, scores)
    assert rows == [
        (image_id(i), float(quality[i]), bool(flags[i]), [CLASSES[codes[i]]], "m", "animal") for i in range(150)
    ]
    assert (report.read, report.written, report.rejected) == (150, 150, 0)
    assert report.details["label issues"] == f"{flags.sum()} of 150 images ({flags.mean():.1%})"
    classes = select(lake, "select label, images, issues from label_classes order by label")
    assert classes == [(name, int((codes == k).sum()), int(flags[codes == k].sum())) for k, name in enumerate(CLASSES)]


def test_the_order_of_the_models_classes_does_not_matter(lake: Lake) -> None:
    codes = np.arange(90) % 3
    put(lake, "labels", [label(i, CLASSES[k]) for i, k in enumerate(codes)])
    scores = predicted(lake, codes)
    judge(lake)
    before = select(lake, "select image_id, label_quality, is_issue, suggested_labels from label_issues order by all")
    turned = [prediction(i, row[::-1].tolist(), [*CLASSES[::-1]]) for i, row in enumerate(scores)]
    put(lake, "predictions", turned)
    judge(lake)
    after = select(lake, "select image_id, label_quality, is_issue, suggested_labels from label_issues order by all")
    assert after == before


@pytest.mark.parametrize("kind", ["probe", "knn"])
def test_a_baseline_finds_planted_errors(lake: Lake, kind: str) -> None:
    vectors, codes = planted(lake)
    report = judge(lake, baseline=kind)
    name = f"{kind}:{MODEL}"
    found = {row[0] for row in select(lake, "select image_id from label_issues where is_issue")}
    planted_ids = {image_id(i) for i in range(12)}
    assert len(found & planted_ids) >= 10
    assert len(found - planted_ids) <= 2
    suggested = select(lake, f"select suggested_labels from label_issues where image_id = '{image_id(0)}'")
    assert suggested == [([CLASSES[(codes[0] - 1) % 3]],)]
    kept = select(
        lake,
        "select model_id, classes, is_out_of_sample, is_multilabel, count(*), count(fold), min(fold), max(fold)"
        " from predictions group by all",
    )
    folds = (120, 0, 4) if kind == "probe" else (0, None, None)
    assert kept == [(name, CLASSES, True, False, 120, *folds)]
    assert report.details["predictions"] == name
    assert report.details["duplicates"] == "not looked for: run imagelake dedupe"
    if kind == "probe":
        given = given_of(codes, CLASSES)
        scores = probe_scores(vectors, given, folds_of(given, np.arange(120), 5, 0))
        stored = select(lake, "select scores from predictions order by image_id")
        np.testing.assert_allclose([row[0] for row in stored], scores, atol=1e-5)


@pytest.mark.parametrize("kind", ["probe", "knn"])
def test_copies_with_the_same_wrong_label_do_not_confirm_each_other(lake: Lake, kind: str) -> None:
    vectors, true = blobs(90, 3)
    vectors[1:6] = vectors[0]  # six copies, all labelled wrong
    true[1:6] = true[0]
    codes = true.copy()
    codes[:6] = (true[0] + 1) % 3
    put_vectors(lake, vectors)
    put(lake, "labels", [label(i, CLASSES[k]) for i, k in enumerate(codes)])
    facts = {"relation": "duplicates", "group_id": image_id(0), "size": 6, "found_at": NOW}
    keeper = {"image_id": image_id(0), "role": "keeper", **facts}
    members = [{"image_id": image_id(i), "role": "member", **facts} for i in range(1, 6)]
    sql_of_copies = f"select count(*) filter (is_issue) from label_issues where image_id <= '{image_id(5)}'"
    judge(lake, baseline=kind)
    assert select(lake, sql_of_copies) < [(6,)]
    put(lake, "groups", [keeper, *members])
    ended = {"job": "dedupe", "status": "succeeded", "config": '{"calibrate": false}', "started_at": NOW}
    put(lake, "runs", [{**ended, "finished_at": NOW, "code_version": "0", "engine": "local"}], job="dedupe")
    report = judge(lake, baseline=kind)
    assert select(lake, sql_of_copies) == [(6,)]
    assert report.details["duplicates kept apart"] == 5
    assert "duplicates" not in report.details
    if kind == "probe":
        folds = f"select count(distinct fold) from predictions where image_id <= '{image_id(5)}'"
        assert select(lake, folds) == [(1,)]


def test_each_run_replaces_the_rows_of_its_task_and_model(lake: Lake) -> None:
    _, codes = planted(lake)
    judge(lake, baseline="probe")
    judge(lake, baseline="knn")
    predicted_rows = [prediction(i, [0.8, 0.1, 0.1], CLASSES) for i in range(120)]
    put(lake, "predictions", predicted_rows, model_id="m")
    assert judge(lake).details["predictions"] == "m"  # a trained model goes before our baselines
    first = judge(lake, baseline="probe", annotator="ann")
    counts = "select model_id, count(*), count(distinct run_id) from label_issues group by all order by all"
    assert select(lake, counts) == [(f"knn:{MODEL}", 120, 1), ("m", 120, 1), (f"probe:{MODEL}", 120, 1)]
    runs = "select distinct run_id from label_issues where model_id like 'probe%'"
    assert select(lake, runs) == [(first.run_id,)]
    assert select(lake, "select count(*) from predictions") == [(360,)]
    assert len(codes) == 120


def test_several_labels_per_image(lake: Lake) -> None:
    vectors, true = blobs(160, 4)
    onehot = np.stack([true < 2, true % 2 == 0, true >= 0], axis=1)
    onehot[:8, 0] ^= True
    rows = [label(i, CLASSES[k]) for i in range(160) for k in range(3) if onehot[i, k]]
    put_vectors(lake, vectors)
    put(lake, "labels", rows)
    refused(lake, "labels that contradict each other.*--multilabel")
    report = judge(lake, multilabel=True)
    found = {row[0] for row in select(lake, "select image_id from label_issues where is_issue")}
    assert len(found & {image_id(i) for i in range(8)}) >= 7
    assert len(found) <= 10
    assert report.details["classes on no image or on all, not judged"] == "cat"
    given = select(lake, f"select given_labels, suggested_labels from label_issues where image_id = '{image_id(0)}'")
    assert given[0][0] == [CLASSES[k] for k in range(3) if onehot[0, k]]
    assert set(given[0][0]) ^ set(given[0][1]) == {"ant"}
    assert select(lake, "select distinct is_multilabel from predictions") == [(True,)]


def test_predictions_for_several_labels_need_no_option(lake: Lake) -> None:
    rng = np.random.default_rng(0)
    onehot = rng.random((80, 3)) < 0.5
    put(lake, "labels", [label(i, CLASSES[k]) for i in range(80) for k in range(3) if onehot[i, k]])
    scores = onehot * 0.8 + 0.1
    put(lake, "predictions", [prediction(i, row, CLASSES, is_multilabel=True) for i, row in enumerate(scores.tolist())])
    assert judge(lake).details["label issues"].startswith("0 of ")
    scores[0, 0] = 1 - scores[0, 0]
    put(lake, "predictions", [prediction(i, row, CLASSES) for i, row in enumerate(scores.tolist())])
    with pytest.raises(UsageError, match="are for one label per image"):
        judge(lake, multilabel=True)


def test_what_is_left_out_is_counted(lake: Lake) -> None:
    vectors, codes = planted(lake)
    rare = [label(200 + i, "rare") for i in range(2)]
    put(lake, "labels", [*(label(i, CLASSES[k]) for i, k in enumerate(codes)), *rare, label(300, "ant")])
    put_vectors(lake, np.concatenate([vectors, np.tile(vectors[:1], (82, 1))]))
    report = judge(lake)
    assert report.details["classes left out (fewer than 5 pictures)"] == "rare"
    assert report.details["only in classes left out"] == 2
    assert report.details["without a vector"] == 1
    assert (report.read, report.written) == (120, 120)
    assert select(lake, "select distinct classes from predictions") == [(CLASSES,)]
    refused_before = select(lake, "select count(*) from label_issues")
    put(lake, "predictions", [prediction(i, [0.8, 0.1, 0.1], CLASSES, is_out_of_sample=i < 100) for i in range(120)])
    with pytest.raises(UsageError, match=r"no class of m: 'rare' \(2 images\); its classes are ant, bee, cat"):
        judge(lake)
    assert select(lake, "select count(*) from label_issues") == refused_before
    put(lake, "labels", [label(i, CLASSES[k]) for i, k in enumerate(codes)])
    assert judge(lake).details["without an out-of-sample prediction"] == 20


def test_neighbours_without_labels_do_not_vote(lake: Lake) -> None:
    vectors, true = blobs(200, 2)
    put_vectors(lake, vectors)
    put(lake, "labels", [label(i, CLASSES[true[i]]) for i in range(12)])
    report = judge(lake, baseline="knn")
    last = image_id(11)
    sql = f"select count(distinct image_id) from neighbours where image_id <= '{last}' and other_id <= '{last}'"
    ((voted,),) = select(lake, sql)
    assert report.details["without a labelled neighbour"] == 12 - voted > 0


def test_labels_that_contradict_each_other(lake: Lake) -> None:
    _, codes = planted(lake)
    rows = [label(i, CLASSES[k]) for i, k in enumerate(codes)]
    other = CLASSES[(codes[7] + 1) % 3]
    both = " and ".join(sorted([CLASSES[codes[7]], other]))
    put(lake, "labels", [*rows, label(7, other)])
    refused(lake, f"1 images .* such as {image_id(7)}: ann says {both}.*Label such images anew.*--skip-contradictions")
    put(lake, "labels", [*rows, label(7, other, "bob"), label(8, CLASSES[codes[8]], "bob")])
    refused(
        lake, f"{image_id(7)}: ann says {CLASSES[codes[7]]}; bob says {other}.*imagelake curate consensus --task animal"
    )
    report = judge(lake, skip_contradictions=True)
    assert (report.written, report.details["images with contradicting labels, left out"]) == (119, 1)
    assert report.details["labels of"] == "ann, bob"
    assert judge(lake, annotator="ann").written == 120
    # the newest label of an annotator is the one that counts
    put(lake, "labels", [*rows, label(7, other, minutes=1)])
    assert judge(lake).written == 120


def test_several_labels_of_annotators_who_differ(lake: Lake) -> None:
    planted(lake)
    rows = [label(0, "ant"), label(0, "bee"), label(0, "ant", "bob"), label(1, "ant"), label(1, "ant", "bob")]
    put(lake, "labels", rows)
    refused(lake, f"1 images .* {image_id(0)}: ann says ant and bee; bob says ant.*--annotator", multilabel=True)


def test_the_consensus_is_judged_when_asked_for(lake: Lake) -> None:
    _, codes = planted(lake)
    put(lake, "labels", [label(i, CLASSES[k], who) for i, k in enumerate(codes) for who in ("ann", "bob")])
    refused(lake, "no consensus for task animal: run `imagelake curate consensus --task animal` first", consensus=True)
    facts = {"task": "animal", "consensus_quality": 0.9, "agreement": 1.0, "annotators": 2, "computed_at": NOW}
    put(
        lake,
        "consensus_labels",
        [{"image_id": image_id(i), "label": CLASSES[k], **facts} for i, k in enumerate(codes[:60])],
    )
    report = judge(lake, consensus=True)
    assert (report.written, report.details["labels of"]) == (60, "consensus")
    assert "labels newer than the consensus" not in report.details
    put(lake, "labels", [label(0, "ant", minutes=5)])
    assert judge(lake, consensus=True).details["labels newer than the consensus"].startswith("1 ")


def test_tasks_and_annotators_that_are_not_there(lake: Lake) -> None:
    refused(lake, "the lake has no labels: bring some in")
    put(lake, "labels", [label(0, "ant"), label(0, "x", task="colour")])
    refused(lake, "no labels of task 'animals': the lake has labels of animal, colour", task="animals")
    refused(lake, "no labels of annotator 'eve' for task animal: there are ann", annotator="eve")
    refused(lake, "which labels", task="")
    refused(lake, "--predictions, --baseline", predictions="m", baseline="probe")
    refused(lake, "--consensus goes neither", consensus=True, annotator="ann")
    refused(lake, "--folds must be at least 2", folds=1)


def test_vectors_and_classes_that_are_not_there(lake: Lake) -> None:
    put(lake, "labels", [label(i, CLASSES[i % 2]) for i in range(20)])
    refused(lake, "the lake has no embeddings: run")
    vectors, _ = blobs(20, 2)
    put_vectors(lake, vectors)
    refused(lake, "--model clip: the lake has vectors of descriptor:test@1", model="clip")
    refused(lake, "fewer than two classes have 11 pictures", folds=11)
    put(lake, "labels", [label(i, "ant") for i in range(20)])
    refused(lake, "fewer than two classes have 5 pictures .*classes: ant")
    put(lake, "labels", [label(500 + i, CLASSES[i % 2]) for i in range(20)])
    refused(lake, "no labelled image has a vector of descriptor:test@1")


GOOD = [prediction(i, [0.8, 0.1, 0.1], CLASSES) for i in range(60)]


@pytest.mark.parametrize(
    ("first", "match"),
    [
        ({"scores": [float("nan"), 0.5, 0.5]}, f"not a number, such as that of image {image_id(0)}"),
        ({"scores": [1.5, -0.3, -0.2]}, "1 predictions of m have scores that are not between 0 and 1"),
        ({"scores": [0.8, 0.8, 0.8]}, "not adding up to 1"),
        ({"scores": [0.5, 0.5]}, "more or fewer scores than classes"),
        ({"classes": ["ant", "bee", "dog"]}, "differing lists of classes"),
        ({"is_multilabel": True}, "differing lists of classes"),
    ],
)
def test_predictions_that_are_no_probabilities(lake: Lake, first: dict[str, object], match: str) -> None:
    put(lake, "labels", [label(i, CLASSES[i % 3]) for i in range(60)])
    put(lake, "predictions", [{**GOOD[0], **first}, *GOOD[1:]])
    refused(lake, match)


@pytest.mark.parametrize(
    ("rows", "match", "asked"),
    [
        (GOOD, "no out-of-sample predictions of x for task animal: there are m", "x"),
        ([{**row, "task": "colour"} for row in GOOD], "there are none; leave --predictions out", "m"),
        ([{**row, "is_out_of_sample": False} for row in GOOD], "all predictions of m are in-sample", "m"),
        ([*GOOD, *({**row, "model_id": "n"} for row in GOOD)], "which predictions.*m, n", None),
        ([prediction(i, [0.5, 0.5], ["ant", "ant"]) for i in range(60)], "must be two or more, each once", None),
        ([prediction(i, [1.0], ["ant"]) for i in range(60)], "must be two or more, each once", None),
        ([prediction(i, [0.8, 0.1, 0.1], CLASSES) for i in range(100, 160)], "no labelled image has an out", None),
    ],
)
def test_predictions_of_another_model_task_or_image(
    lake: Lake, rows: list[dict[str, object]], match: str, asked: str | None
) -> None:
    put(lake, "labels", [label(i, CLASSES[i % 3]) for i in range(60)])
    put(lake, "predictions", rows)
    refused(lake, match, predictions=asked)


def test_labels_of_one_class(lake: Lake) -> None:
    put(lake, "predictions", GOOD)
    put(lake, "labels", [label(i, "ant") for i in range(60)])
    refused(lake, "all images are 'ant'")


def test_in_sample_predictions_give_way_to_a_baseline(lake: Lake) -> None:
    _, codes = planted(lake)
    predicted(lake, codes, is_out_of_sample=False)
    report = judge(lake)
    assert report.details["predictions"] == f"probe:{MODEL}"
    assert report.details["in-sample predictions, not used"] == "m"


def test_a_failed_run_leaves_the_earlier_rows(lake: Lake) -> None:
    planted(lake)
    judge(lake)
    before = select(lake, "select * from label_issues order by all")
    with pytest.raises(UsageError):
        judge(lake, folds=100)
    assert select(lake, "select * from label_issues order by all") == before
    assert select(lake, "select status from latest_runs order by started_at, status") == [("succeeded",), ("failed",)]


def test_on_the_command_line(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    planted(lake)
    assert run_job(curate_label_issues, ["--lake", lake.root, "--task", "animal"], "imagelake curate label-issues") == 0
    out = capsys.readouterr().out
    assert "curate label-issues: 120 read, 120 written" in out
    assert "label issues: 1" in out
    assert run_job(curate_label_issues, ["--lake", lake.root, "--task", "no"], "imagelake curate label-issues") == 2
    assert capsys.readouterr().err == "imagelake: no labels of task 'no': the lake has labels of animal\n"


def test_help_is_fast(imagelake: Callable[..., CompletedProcess[str]]) -> None:
    code = "import sys, imagelake.jobs.curate_label_issues, imagelake.jobs.curate_consensus;"
    code += "assert not {'cleanlab', 'sklearn', 'scipy', 'pandas', 'faiss'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert imagelake("curate", "label-issues", "--help").returncode == 0


def statement(lake: Lake, name: str, task: str) -> list[dict[str, object]]:
    with Session(lake) as session:
        return session.arrow(read_statement(f"curation/{name}"), {"task": task}).to_pylist()


def test_statements_list_what_to_review(lake: Lake) -> None:
    _, codes = planted(lake)
    judge(lake, baseline="knn")
    judge(lake, baseline="probe")
    place = {"uri": "x", "size_bytes": 1, "modified_at": NOW, "seen_at": NOW}
    put(lake, "sightings", [{"image_id": image_id(i), "origin": f"photos/{i}.jpg", **place} for i in range(120)])
    every = statement(lake, "label_issues", "animal")
    assert [row["model_id"] for row in every].count(f"knn:{MODEL}") == 120
    assert [(not row["is_issue"], row["label_quality"]) for row in every] == sorted(
        (not row["is_issue"], row["label_quality"]) for row in every
    )
    review = statement(lake, "images_to_review", "animal")
    sql = (
        f"select image_id, label_quality from label_issues where is_issue and model_id = 'probe:{MODEL}' order by 2, 1"
    )
    assert [(row["image_id"], row["label_quality"]) for row in review] == select(lake, sql)
    first, second = (int(row["image_id"], 16) for row in review[:2])
    record = {"provider": "europeana", "source_id": "/1/a", "page_url": "http://data.europeana.eu/item/1/a"}
    put(lake, "records", [{**record, "media_url": f"photos/{first}.jpg", "raw": "{}", "harvested_at": NOW}])
    names = ("given_label", "predicted_label", "id", "uri", "image_url")
    with_record, without = ([row[name] for name in names] for row in statement(lake, "images_to_review", "animal")[:2])
    assert with_record[:2] == [CLASSES[codes[first]], CLASSES[(codes[first] - 1) % 3]]
    assert with_record[2:] == ["/1/a", "http://data.europeana.eu/item/1/a", f"photos/{first}.jpg"]
    assert without[2:] == [image_id(second), None, f"photos/{second}.jpg"]
    for name in ("label_issues", "images_to_review"):
        with pytest.raises(QueryError, match="no label issues of task colour: run curate label-issues"):
            statement(lake, name, "colour")
