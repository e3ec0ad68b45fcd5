"""The kNN table that all share: vectors of one model in, its rows of `neighbours` replaced.

Duplicates by embedding, outliers, leaks between splits and label issues read the table instead of each searching anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.knn import Nearest, nearest_by_lists, nearest_to_all
from imagelake.curate.vectors import load_vectors, model_rows
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.session import Session

TABLE = "neighbours"
FLAT_ROWS = 100_000  # up to here all pairs are compared: about a minute for 512 numbers on two cores
_IMAGES_PER_BATCH = 20_000

_CURRENT = """
with vectors as (
  select image_id, computed_at from embeddings where model_id = $model_id and norm > 0
),
known as (
  select image_id, count(*) as ranks, max(rank) as last_rank, min(computed_at) as computed_at
  from neighbours
  where model_id = $model_id
  group by image_id
),
wanted as (
  select least($k, count(*) - 1) as ranks from vectors
)
select count(*)
from vectors as v
full join known as n on v.image_id = n.image_id
cross join wanted as w
where
  v.image_id is null
  or coalesce(n.ranks, 0) < w.ranks
  or n.last_rank > n.ranks
  or v.computed_at > n.computed_at
"""


@dataclass(frozen=True)
class Made:
    """What was made: `recall` is measured on a sample where not `exact`, else None."""

    images: int
    k: int
    exact: bool
    recall: float | None


def neighbours_are_current(session: Session, model_id: str, k: int) -> bool:
    """Whether the table holds the k nearest of every image with a vector of the model, and of no others.

    It does with more than k, too: read `rank <= k`. It does not where a vector was computed after the rows, or
    where a neighbour has been forgotten, which leaves a gap in the ranks.
    """
    ((wrong,),) = session.execute(_CURRENT, {"model_id": model_id, "k": k}).fetchall()
    return not wrong


def make_neighbours(lake: Lake, run_id: str, model_id: str, k: int, *, exact: bool = False) -> Made:
    """Find the k nearest of every image, and put them in the place of the model's rows.

    Args:
        lake: the lake, with table `neighbours`.
        run_id: the run.
        model_id: the model.
        k: how many; fewer where the model has no more vectors.
        exact: compare all pairs above `FLAT_ROWS` vectors, too.

    Raises:
        ModelUnavailable: faiss is not installed.
        UsageError: the vectors have different numbers of dimensions.
    """
    now = datetime.now(UTC)
    ids, found, recall = _search(lake, model_id, k, exact=exact)
    replace_rows(lake, run_id, TABLE, {"model_id": model_id}, _rows(ids, found, model_id, run_id, now))
    return Made(len(ids), k, recall is None, recall)


def _search(lake: Lake, model_id: str, k: int, *, exact: bool) -> tuple[pa.Array, Nearest, float | None]:
    with Session(lake) as session:
        bound(session)
        ids, vectors = load_vectors(session, model_id)
    if exact or len(ids) <= FLAT_ROWS:
        return ids, nearest_to_all(vectors, k), None
    found, recall = nearest_by_lists(vectors, k)
    return ids, found, recall


def _rows(ids: pa.Array, found: Nearest, model_id: str, run_id: str, now: datetime) -> Iterator[pa.Table]:
    indices, cosines = found
    ranks = np.broadcast_to(np.arange(1, indices.shape[1] + 1), indices.shape)
    for start in range(0, len(ids), _IMAGES_PER_BATCH):
        part = slice(start, start + _IMAGES_PER_BATCH)
        there = indices[part] >= 0
        own = np.nonzero(there)[0] + start
        columns = {
            "image_id": ids.take(pa.array(own)),
            "rank": ranks[part][there].astype(np.int32),
            "other_id": ids.take(pa.array(indices[part][there])),
            "similarity": _decimals(cosines[part][there]),
        }
        yield from model_rows(pa.table(columns), model_id, run_id, now)


def _decimals(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """As double: the nearest to the six decimals, not to the float32."""
    return cosines.astype(np.float64).round(6)
