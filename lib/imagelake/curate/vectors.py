"""Vectors of a lake: which models have some, the vector of one image, the search over all of a model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.neighbours import nearest
from imagelake.errors import UsageError
from imagelake.lake.session import Session

_ROWS = 4_096


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
