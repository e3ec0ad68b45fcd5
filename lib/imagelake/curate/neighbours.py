"""Exact nearest neighbours by cosine: Arrow batches of vectors in, the k most similar rows out; memory stays flat."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def nearest(batches: Iterable[pa.RecordBatch], query: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
    """The k images most similar to a vector.

    Args:
        batches: rows (image_id, vector, norm); vector as list of float32 of the query's length, norm as float64.
        query: float32 (d,), not necessarily normalised, not all zero.
        k: how many.

    Returns:
        (image_id, cosine in -1..1 rounded to 6 decimals), best first, equal ones by image_id. A vector of zeros has
        cosine 0.

    Raises:
        ValueError: vectors of another length than the query, or a query without direction.
    """
    length = float(np.linalg.norm(query))
    if not np.isfinite(length) or length == 0:
        raise ValueError("the query's vector has no direction")
    direction = (query / length).astype(np.float32)
    best: list[tuple[str, float]] = []
    for batch in batches:
        if batch.num_rows == 0:
            continue
        best += _best_of(batch, direction, k)
        best = sorted(best, key=lambda found: (-found[1], found[0]))[:k]
    return best


def _best_of(batch: pa.RecordBatch, direction: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
    column = batch.column("vector")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(column) * len(direction):
        raise ValueError(f"vectors of {len(direction)} numbers expected")
    norms = batch.column("norm").to_numpy(zero_copy_only=False)
    products = flat.reshape(len(column), len(direction)) @ direction
    # Six decimals are what float32 can tell; the rest depends on how a row lies in its batch.
    cosines = np.divide(products, norms, out=np.zeros(len(column)), where=norms > 0).clip(-1, 1).round(6)
    # All that equal the k-th stay in, so that ties are settled by image_id and not by the order of the batches.
    floor = np.partition(cosines, -k)[-k] if k < len(cosines) else -np.inf
    chosen = np.flatnonzero(cosines >= floor)
    ids = batch.column("image_id").take(pa.array(chosen)).to_pylist()
    return list(zip(ids, cosines[chosen].tolist(), strict=True))
