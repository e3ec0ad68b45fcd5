"""Vectors of a lake: which models have some, the vector of one image, all of a model, the search over them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.neighbours import nearest
from imagelake.errors import UsageError
from imagelake.lake.session import Session

_ROWS = 4_096
_RESULT_ROWS = 100_000


def models_in(session: Session) -> list[str]:
    """The model_ids that have vectors.

    Raises:
        UsageError: there is none.
    """
    rows = session.execute("select distinct model_id from embeddings order by model_id").fetchall()
    if not rows:
        raise UsageError("the lake has no embeddings: run `imagelake extract --embed descriptor` (or another model)")
    return [row[0] for row in rows]


def chosen_model(models: Sequence[str], asked: str | None) -> str | None:
    """The model_id that is meant: the only one, or the one that is or begins with `asked`; None when none does.

    Raises:
        UsageError: several are meant.
    """
    meant = [m for m in models if asked is None or m == asked] or [m for m in models if m.startswith(asked or "")]
    if len(meant) > 1:
        raise UsageError(f"which of the models? give --model, one of: {', '.join(meant)}")
    return meant[0] if meant else None


def image_id_of(session: Session, beginning: str) -> str:
    """The one image_id that begins so.

    Raises:
        UsageError: none does, or several do.
    """
    sql = "select image_id from images where starts_with(image_id, $beginning) order by image_id limit 2"
    rows = session.execute(sql, {"beginning": beginning.lower()}).fetchall()
    if len(rows) != 1:
        what = "several images of the lake begin" if rows else "no image of the lake begins"
        raise UsageError(f"--image-id {beginning}: {what} so")
    return str(rows[0][0])


def stored_vector(session: Session, image_id: str, model_id: str) -> NDArray[np.float32]:
    """The vector of an image, float32 (d,).

    Raises:
        UsageError: the image has none of this model.
    """
    sql = "select vector from embeddings where image_id = $image_id and model_id = $model_id"
    rows = session.arrow(sql, {"image_id": image_id, "model_id": model_id})
    if rows.num_rows == 0:
        raise UsageError(f"image {image_id} has no vector of {model_id}: see latest_failures, or run extract --embed")
    values: NDArray[np.float32] = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.astype(np.float32)


def similar_images(session: Session, model_id: str, query: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
    """The k images most similar to a vector, as `nearest` gives them, from all vectors of the model.

    Raises:
        UsageError: the query has no direction (a vector of zeros) or another length than the model's vectors.
    """
    sql = "select image_id, vector, norm from embeddings where model_id = $model_id"
    try:
        return nearest(session.batches(sql, {"model_id": model_id}, _ROWS), query, k)
    except ValueError as error:
        raise UsageError(f"cannot search with {model_id}: {error}") from error


def vector_ids(session: Session, model_id: str) -> pa.Array:
    """The image_ids, sorted, of the images whose vector of the model has a direction (is not all zeros)."""
    sql = "select image_id from embeddings where model_id = $model_id and norm > 0 order by image_id"
    return session.arrow(sql, {"model_id": model_id})["image_id"].combine_chunks()


def load_vectors(
    session: Session, model_id: str, image_ids: pa.Array | None = None
) -> tuple[pa.Array, NDArray[np.float32]]:
    """The vectors of a model in memory, 4 bytes a number.

    Args:
        session: the lake.
        model_id: the model.
        image_ids: those of `vector_ids` that are wanted, sorted; all of them where left out.

    Returns:
        The image_ids, sorted, and float32 (n, d): the vectors in their order, divided by their lengths.

    Raises:
        UsageError: the vectors have different numbers of dimensions.
    """
    ids = vector_ids(session, model_id) if image_ids is None else image_ids
    places = np.array(ids.to_numpy(zero_copy_only=False), dtype="S64")
    sql = "select image_id, vector, norm from embeddings where model_id = $model_id and norm > 0"
    vectors = np.empty((0, 0), np.float32)
    for batch in session.batches(sql, {"model_id": model_id}, _ROWS):
        found = np.array(batch.column("image_id").to_numpy(zero_copy_only=False), dtype="S64")
        rows = np.searchsorted(places, found).clip(max=max(len(places) - 1, 0))
        wanted = np.flatnonzero(places[rows] == found) if len(places) else np.empty(0, np.int64)
        if not len(wanted):
            continue
        values = _directions(batch.take(pa.array(wanted)), vectors.shape[1], model_id)
        if not vectors.size:
            vectors = np.empty((len(places), values.shape[1]), np.float32)
        vectors[rows[wanted]] = values
    return ids, vectors


def _directions(batch: pa.RecordBatch, dimensions: int, model_id: str) -> NDArray[np.float32]:
    lengths = np.unique(batch.column("vector").value_lengths().to_numpy(zero_copy_only=False))
    if len({*lengths.tolist(), *([dimensions] if dimensions else [])}) > 1:
        numbers = " and ".join(str(n) for n in sorted({*lengths.tolist(), dimensions} - {0}))
        raise UsageError(f"vectors of {model_id} have {numbers} numbers and do not compare: see `imagelake check`")
    flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
    norms = batch.column("norm").to_numpy(zero_copy_only=False)
    directions: NDArray[np.float32] = (flat.reshape(len(norms), -1) / norms[:, None]).astype(np.float32)
    return directions


def the_model(session: Session, asked: str | None) -> str:
    """The model_id that is meant, of those that the lake has vectors of.

    Raises:
        UsageError: there are none, several are meant, or none is.
    """
    models = models_in(session)
    model_id = chosen_model(models, asked)
    if model_id is None:
        raise UsageError(f"--model {asked}: the lake has vectors of {', '.join(models)}")
    return model_id


def count_vectors(session: Session, model_id: str) -> tuple[int, int]:
    """How many images have a vector of the model with a direction, and how many one of zeros.

    Raises:
        UsageError: all are zeros.
    """
    sql = "select count(*) filter (norm > 0), count(*) filter (norm = 0) from embeddings where model_id = $model_id"
    ((images, without),) = session.execute(sql, {"model_id": model_id}).fetchall()
    if not images:
        raise UsageError(f"all vectors of {model_id} are zeros: nothing to compare")
    return images, without


def model_rows(rows: pa.Table, model_id: str, run_id: str, now: datetime) -> Iterator[pa.Table]:
    """Rows of a table that is kept by model, in batches, with the columns that are the same for all."""
    constants = {"model_id": pa.scalar(model_id), "run_id": pa.scalar(run_id), "computed_at": pa.scalar(now)}
    for start in range(0, rows.num_rows, _RESULT_ROWS):
        part = rows.slice(start, _RESULT_ROWS)
        for name, value in constants.items():
            part = part.append_column(name, pa.repeat(value, part.num_rows))
        yield part
