"""Planted label noise: how much of it is found; and what the way through the lake costs beside cleanlab itself."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from imagelake.jobs import curate_label_issues, extract, ingest
from imagelake.lake.lake import Lake, create_lake
from tests.benchmarks.conftest import Size
from tests.benchmarks.label_issues_drive import direct, job, make
from tests.benchmarks.measure import say, versions
from tests.unit.labelled import blobs, image_id, label, put, put_vectors, select

SEED = 0
USED = ("imagelake", "cleanlab", "scikit-learn", "numpy", "duckdb", "deltalake")
VECTORS = "select image_id, vector from embeddings order by image_id"


def digits(folder: Path, count: int) -> tuple[Lake, list[str], NDArray[np.int64]]:
    """scikit-learn's digits as pictures of 64 x 64 pixels, ingested and described; ids and digits."""
    found = load_digits()
    for i in range(count):
        path = folder / "digits" / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = (255 - 15 * found.images[i]).astype(np.uint8)
        Image.fromarray(grey).resize((64, 64), Image.Resampling.BICUBIC).convert("RGB").save(path)
    lake = create_lake(str(folder / "lake"))
    ingest.run(ingest.Config((str(folder / "digits"),), lake.root, quiet=True, engine="local"), lake)
    extract.run(extract.Config(lake.root, only=("hashes",), embed=("descriptor",), quiet=True, engine="local"), lake)
    rows = select(lake, "select image_id, min(origin) from sightings group by 1 order by 1")
    numbers = [int(Path(str(origin)).stem) for _, origin in rows]
    return lake, [str(i) for i, _ in rows], found.target[numbers].astype(np.int64)


def generated(folder: Path, count: int) -> tuple[Lake, list[str], NDArray[np.int64]]:
    """Vectors of 16 numbers around ten centres that overlap."""
    lake = create_lake(str(folder / "lake"))
    vectors, true = blobs(count, 10, SEED, spread=0.75)
    put_vectors(lake, vectors)
    return lake, [image_id(i) for i in range(count)], true


def noisy(true: NDArray[np.int64], rate: float, kind: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels of which a share is wrong: any other class, or always the same one for each class."""
    rng = np.random.default_rng([SEED, round(100 * rate)])
    wrong = np.zeros(len(true), np.bool_)
    wrong[rng.choice(len(true), round(rate * len(true)), replace=False)] = True
    shift = rng.integers(1, 10, len(true)) if kind == "symmetric" else 1
    return np.where(wrong, (true + shift) % 10, true), wrong


def figures(quality: NDArray[np.floating], flags: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Precision (which is recall) of the worst k, k the number planted; of the flagged ones both."""
    worst = np.argsort(quality, kind="stable")[: wrong.sum()]
    return {
        "at_k": round(float(wrong[worst].mean()), 3),
        "flagged": int(flags.sum()),
        "precision": round(float(wrong[flags].mean()), 3) if flags.any() else 0.0,
        "recall": round(float(flags[wrong].mean()), 3),
    }


def of_lake(lake: Lake, codes: NDArray[np.int64], kind: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The job's quality and flags, which are cleanlab's on the same predictions."""
    report = curate_label_issues.run(curate_label_issues.Config(lake.root, "digit", baseline=kind, seed=SEED), lake)
    assert report.written == len(codes)
    scope = f"where model_id like '{kind}:%' order by image_id"
    rows = select(lake, f"select label_quality, is_issue from label_issues {scope}")
    quality, flags = (np.array(column) for column in zip(*rows, strict=True))
    scores = np.array([row[0] for row in select(lake, f"select scores from predictions {scope}")], np.float32)
    np.testing.assert_array_equal(flags, find_label_issues(codes, scores, n_jobs=1))
    np.testing.assert_allclose(quality, get_label_quality_scores(codes, scores), rtol=1e-6)
    return quality, flags


def by_hand(lake: Lake, codes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """cleanlab as its tutorials call it: cross-validated scikit-learn defaults on the same vectors."""
    vectors = np.array([row[1] for row in select(lake, VECTORS)])
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    model = LogisticRegression(max_iter=1000)
    with threadpool_limits(1):
        scores = cross_val_predict(model, vectors, codes, cv=folds, method="predict_proba")
    return get_label_quality_scores(codes, scores), find_label_issues(codes, scores, n_jobs=1)


@pytest.mark.parametrize("source", [digits, generated])
def test_planted_label_noise_is_found(
    size: Size, tmp_path: Path, source: Callable[[Path, int], tuple[Lake, list[str], NDArray[np.int64]]]
) -> None:
    lake, ids, true = source(tmp_path, size.of(300, 1797))
    for kind in ("symmetric", "confusion")[: size.of(1, 2)]:
        for rate in (0.1,) if not size.is_full else (0.05, 0.1, 0.2):
            codes, wrong = noisy(true, rate, kind)
            rows = [label(0, str(k), task="digit") | {"image_id": i} for i, k in zip(ids, codes, strict=True)]
            put(lake, "labels", rows)
            ways = {"probe": of_lake(lake, codes, "probe"), "knn": of_lake(lake, codes, "knn")}
            if size.is_full:
                ways["cleanlab by hand"] = by_hand(lake, codes)
            for way, (quality, flags) in ways.items():
                found = figures(quality, flags, wrong)
                planted = {"set": source.__name__, "noise": kind, "rate": rate, "planted": int(wrong.sum())}
                say({"name": f"label issues, {way}", **planted, **found, "seed": SEED, "versions": versions(*USED)})
                assert found["at_k"] >= 0.6


def apart(what: str, *arguments: object) -> dict[str, Any]:
    """In a process of its own, whose memory is nobody else's."""
    command = [sys.executable, "-m", "tests.benchmarks.label_issues_drive", what, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_the_way_through_the_lake(size: Size, tmp_path: Path) -> None:
    """CPU, wall and memory of the job, beside cleanlab on arrays that are in memory already."""
    rows, classes = size.of(2_000, 1_000_000), 10
    make(tmp_path / "lake", rows, classes)
    if size.is_full:
        found = {what: apart(what, tmp_path / "lake", rows, classes) for what in ("direct", "job")}
    else:
        found = {"direct": direct(rows, classes), "job": job(str(tmp_path / "lake"))}
    assert found["job"]["issues"] == found["direct"]["issues"] > 0
    assert found["job"]["quality"] == pytest.approx(found["direct"]["quality"], rel=1e-5)
    ratio = round(float(found["job"]["cpu_s"] / found["direct"]["cpu_s"]), 2)
    say({"name": f"label issues, {rows:,} x {classes}", "ratio": ratio, **found, "versions": versions(*USED)})
