"""The embedding layer: vectors of one model and the shared table `neighbours` in, pairs by cosine out.

A pair above the threshold stands in `neighbours` unless both of its pictures have k neighbours that are at least as
similar; those pictures are compared with each other once more, so that with exact neighbours every pair is found.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.curate.duplicates.pictures import Indices, Layer, Near, Pictures, items_of
from imagelake.curate.knn import cosine_pairs
from imagelake.curate.vectors import load_vectors
from imagelake.lake.session import Session

_ROWS = 65_536  # compared at a time
DECIMALS = 6  # of a cosine, as in `neighbours`
_SLACK = 2e-6  # products of other orders of summation differ by less; `compare` decides

# Cosine that copies reach and other pictures do not, where no calibration says better: of the descriptor as measured
# in docs/duplicates.md; of learned models a cautious guess.
DEFAULT_SIMILARITY = {"descriptor": 0.985}
OTHER_SIMILARITY = 0.96


def default_similarity(model_id: str) -> float:
    """The threshold of a model without a calibration."""
    return DEFAULT_SIMILARITY.get(model_id.partition(":")[0], OTHER_SIMILARITY)


def embedding_layer(session: Session, pictures: Pictures, model_id: str, min_similarity: float) -> Layer:
    """Pictures whose vectors have a cosine of at least `min_similarity`, compared at six decimals.

    Args:
        session: the lake, with `neighbours` of the model up to date.
        pictures: all pictures.
        model_id: the model.
        min_similarity: -1 to 1.
    """
    ids, vectors = load_vectors(session, model_id)
    places = pc.index_in(ids.cast(pa.string()), value_set=pictures.image_ids)
    known = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
    compared = places.take(pa.array(known)).to_numpy().astype(np.int64)
    order = np.argsort(compared)
    compared, known = compared[order], known[order]
    count = len(pictures.image_ids)
    item, items = items_of(compared, _digests(vectors, known), count)
    row = np.full(count, -1, np.int64)
    row[compared] = known

    def compare(a: Indices, b: Indices) -> NDArray[np.float64]:
        distance = np.full(len(a), np.inf)
        both = np.flatnonzero((row[a] >= 0) & (row[b] >= 0))
        found = _cosines(vectors, row[a[both]], row[b[both]])
        distance[both] = np.where(found >= min_similarity, (1 - found).round(DECIMALS), np.inf)
        return distance

    first, second, saturated = _from_neighbours(session, pictures, model_id, min_similarity)
    left = items[saturated[items]]
    i, j, _ = cosine_pairs(vectors[row[left]], min_similarity - _SLACK)
    pairs = np.stack([np.concatenate([item[first], left[i]]), np.concatenate([item[second], left[j]])], axis=1)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    distance = compare(pairs[:, 0], pairs[:, 1])
    pairs, distance = pairs[np.isfinite(distance)], distance[np.isfinite(distance)]
    near = Near(pairs[:, 0], pairs[:, 1], distance)
    return Layer("embedding", model_id, round(1 - min_similarity, DECIMALS), item, near, compare)


def _cosines(vectors: NDArray[np.float32], a: Indices, b: Indices) -> NDArray[np.float64]:
    """Cosines of rows a with rows b, at six decimals; 1 where they are equal, hence in double precision."""
    found = np.empty(len(a))
    for start in range(0, len(a), _ROWS):
        part = slice(start, start + _ROWS)
        found[part] = np.einsum("ij,ij->i", vectors[a[part]], vectors[b[part]], dtype=np.float64)
    return np.asarray(found.clip(-1, 1).round(DECIMALS))


def _digests(vectors: NDArray[np.float32], rows: Indices) -> NDArray[np.uint64]:
    """128 bits of every vector, (n, 2): equal vectors have equal digests, others in practice never."""
    digests = (hashlib.blake2b(vectors[i], digest_size=16).digest() for i in rows)
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)


def _from_neighbours(
    session: Session, pictures: Pictures, model_id: str, min_similarity: float
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Pairs of pictures from the table, and which pictures (n,) may have more such neighbours than it holds."""
    ids = pa.table({"image_id": pictures.image_ids, "place": np.arange(len(pictures.image_ids))})
    session.con.register("places", ids)
    found = session.arrow(_ALIKE, {"model_id": model_id, "least": min_similarity - _SLACK})
    session.con.unregister("places")
    first, second = (found[c].to_numpy().astype(np.int64) for c in ("first", "second"))
    saturated = np.zeros(len(pictures.image_ids), np.bool_)
    saturated[first[found["is_last"].to_numpy()]] = True
    return first, second, saturated


_ALIKE = """
with ranks as (
  select max(rank) as k from neighbours where model_id = $model_id
)
select a.place as first, b.place as second, n.rank = r.k as is_last
from neighbours as n
cross join ranks as r
inner join places as a on n.image_id = a.image_id
inner join places as b on n.other_id = b.image_id
where n.model_id = $model_id and n.similarity >= $least
"""
