"""Label issues of many images in a process of their own: `python -m ... direct|job LAKE ROWS CLASSES`.

Prints one line of JSON: CPU and wall seconds, the growth of the largest resident memory, what was found. `make` writes
the lake first, and the same arrays for `direct`.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.labels.rows import prediction_rows
from imagelake.curate.labels.scores import Scores
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.replace import replace_rows
from tests.benchmarks.measure import cpu_of, peak_rss_mib, wall_of
from tests.unit.labelled import NOW


def arrays(rows: int, classes: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, 3 % of them wrong, and probabilities of a good model."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, classes, rows)
    scores = rng.gamma(0.2, size=(rows, classes)).astype(np.float32)
    scores[np.arange(rows), true] += 1.5
    scores /= scores.sum(axis=1, keepdims=True)
    wrong = rng.random(rows) < 0.03
    return np.where(wrong, (true + 1) % classes, true), scores


def make(folder: Path, rows: int, classes: int) -> Lake:
    """A lake with these labels and predictions, row i of the arrays the i-th image_id."""
    codes, scores = arrays(rows, classes)
    names = [f"class {k:03d}" for k in range(classes)]
    ids = pa.array(sorted(hashlib.sha256(str(i).encode()).hexdigest() for i in range(rows)))
    lake = create_lake(str(folder))
    given = Given("task", ids, np.arange(rows), codes, names, False, [])
    replace_rows(lake, "r", "predictions", {}, prediction_rows(given, Scores("m", scores, False), None, "r"))
    said = pa.table({"image_id": ids, "label": pa.array(names).take(pa.array(codes))})
    same = {"task": "task", "annotator": "ann", "source": "person", "labelled_at": NOW, "run_id": "r"}
    for name, value in same.items():
        said = said.append_column(name, pa.repeat(pa.scalar(value), rows))
    said = said.append_column("confidence", pa.nulls(rows, pa.float64()))
    replace_rows(lake, "r", "labels", {}, (said.slice(i, 100_000) for i in range(0, rows, 100_000)))
    return lake


def direct(rows: int, classes: int) -> dict[str, Any]:
    """cleanlab on arrays in memory."""
    from cleanlab.dataset import rank_classes_by_label_quality
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    codes, scores = arrays(rows, classes)
    found: dict[str, NDArray[np.generic]] = {}

    def work() -> None:
        found["issues"] = find_label_issues(codes, scores, n_jobs=1)
        found["quality"] = get_label_quality_scores(codes, scores)
        rank_classes_by_label_quality(codes, scores)

    return {**_measured(work), "issues": int(found["issues"].sum()), "quality": float(found["quality"].mean())}


def job(folder: str) -> dict[str, Any]:
    """The job, from the lake into the lake."""
    from imagelake.curate.optional import needed
    from imagelake.jobs import curate_label_issues
    from tests.unit.labelled import select

    needed("cleanlab.filter")
    lake = Lake(folder)
    figures = _measured(lambda: curate_label_issues.run(curate_label_issues.Config(folder, "task"), lake))
    ((issues, quality),) = select(lake, "select count(*) filter (is_issue), avg(label_quality) from label_issues")
    return {**figures, "issues": issues, "quality": quality}


def _measured(work: Callable[[], object]) -> dict[str, float]:
    before = peak_rss_mib()
    seconds: list[float] = []
    wall = wall_of(lambda: seconds.append(cpu_of(work)))
    return {"cpu_s": seconds[0], "wall_s": wall, "mib": peak_rss_mib() - before, "peak_mib": peak_rss_mib()}


if __name__ == "__main__":
    what, place, *sizes = sys.argv[1:]
    print(json.dumps(job(place) if what == "job" else direct(*map(int, sizes))))
