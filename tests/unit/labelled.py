"""Lakes with labels, vectors and predictions, written row by row: what the tests of label issues look at."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.lake.lake import Lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MODEL = "descriptor:test@1"


def image_id(number: int) -> str:
    return f"{number:064x}"


def put(lake: Lake, table: str, rows: Sequence[Mapping[str, object]], **scope: str) -> None:
    """The rows of a table, or of a scope of it."""
    replace_rows(lake, "r", table, scope, [to_table(table_def(table), [{"run_id": "r", **row} for row in rows])])


def label(number: int, name: str, annotator: str = "ann", task: str = "animal", minutes: int = 0) -> dict[str, object]:
    """A row of `labels`."""
    facts = {"source": "person", "confidence": None, "labelled_at": NOW + timedelta(minutes=minutes)}
    return {"image_id": image_id(number), "task": task, "label": name, "annotator": annotator, **facts}


def prediction(number: int, scores: Sequence[float], classes: Sequence[str], **facts: object) -> dict[str, object]:
    """A row of `predictions`."""
    row: dict[str, object] = {"model_id": "m", "task": "animal", "is_multilabel": False, "is_out_of_sample": True}
    best = classes[int(np.nan_to_num(scores).argmax())]
    row |= {"image_id": image_id(number), "scores": scores, "classes": classes, "predicted": best, "predicted_at": NOW}
    return row | facts


def put_vectors(lake: Lake, vectors: NDArray[np.floating]) -> None:
    """A vector per image, image i has vector i."""
    rows = [
        {
            "image_id": image_id(i),
            "model_id": MODEL,
            "version": 1,
            "vector": vector.tolist(),
            "norm": float(np.linalg.norm(vector)),
            "computed_at": NOW,
        }
        for i, vector in enumerate(vectors)
    ]
    put(lake, "embeddings", rows)


def blobs(
    count: int, classes: int, seed: int = 0, spread: float = 0.3
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors (n, 16) around one centre per class, and the classes (n,)."""
    rng = np.random.default_rng(seed)
    centres, true = rng.normal(size=(classes, 16)), rng.integers(0, classes, count)
    vectors = centres[true] + spread * rng.normal(size=(count, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), true


def given_of(codes: NDArray[np.int64], classes: Sequence[str]) -> Given:
    """One label per image."""
    ids = pa.array([image_id(i) for i in range(len(codes))], pa.string())
    return Given("animal", ids, np.arange(len(codes)), codes.astype(np.int64), list(classes), False, ["ann"])


def given_of_onehot(onehot: NDArray[np.bool_], classes: Sequence[str]) -> Given:
    """Several labels per image."""
    ids = pa.array([image_id(i) for i in range(len(onehot))], pa.string())
    rows, codes = np.nonzero(onehot)
    return Given("animal", ids, rows, codes, list(classes), True, ["ann"])


def select(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return [tuple(row.values()) for row in session.arrow(sql).to_pylist()]
