"""What `dedupe` writes: layers and members in, rows of `pairs` and `groups` out, in batches."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.curate.duplicates.groups import Members
from imagelake.curate.duplicates.hashes import INVERSE
from imagelake.curate.duplicates.pictures import Indices, Layer

_ROWS = 100_000


def pair_rows(layer: Layer, image_ids: pa.StringArray, run_id: str) -> Iterator[pa.Table]:
    """Rows of `pairs`: every pair of different items by their best pictures, and a star from each item's best picture.

    A picture that a layer cannot tell from a better one has one row, to that one, at distance 0.
    """
    others = np.flatnonzero((layer.item >= 0) & (layer.item != np.arange(len(layer.item))))
    first = np.concatenate([layer.item[others], layer.near.first])
    second = np.concatenate([others, layer.near.second])
    distance = np.concatenate([np.zeros(len(others)), layer.near.distance])
    orientation = None
    if layer.near.orientation is not None:
        orientation = np.concatenate([np.ones(len(others), np.int8), layer.near.orientation])
    facts = {
        "relation": layer.relation,
        "model_id": layer.model_id,
        "threshold": layer.threshold,
        "run_id": run_id,
        "found_at": datetime.now(UTC),
    }
    for start in range(0, len(first), _ROWS):
        part = slice(start, start + _ROWS)
        turn = None if orientation is None else orientation[part]
        columns = _pair_columns(image_ids, first[part], second[part], turn)
        columns["distance"] = pa.array(distance[part])
        columns["similarity"] = pa.array(_similarity(layer, distance[part]))
        yield _with_facts(columns, facts)


def _pair_columns(
    image_ids: pa.StringArray, first: Indices, second: Indices, orientation: NDArray[np.int8] | None
) -> dict[str, pa.Array]:
    """The lesser id first; the orientation turned round where that swaps the two."""
    a, b = image_ids.take(pa.array(first)), image_ids.take(pa.array(second))
    swap = pc.greater(a, b)
    columns = {"image_id": pc.if_else(swap, b, a), "other_id": pc.if_else(swap, a, b)}
    if orientation is None:
        columns["orientation"] = pa.nulls(len(first), pa.int32())
    else:
        turned = np.where(swap.to_numpy(zero_copy_only=False), INVERSE[orientation], orientation)
        columns["orientation"] = pa.array(turned.astype(np.int32))
    return columns


def _similarity(layer: Layer, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 - distance / 64 if layer.relation == "phash" else 1 - distance


def group_rows(layers: Sequence[Layer], members: Members, image_ids: pa.StringArray, run_id: str) -> Iterator[pa.Table]:
    """Rows of `groups`: one per keeper and member."""
    keepers, sizes = np.unique(members.keeper, return_counts=True)
    images = np.concatenate([keepers, members.member])
    groups = np.concatenate([keepers, members.keeper])
    size = np.concatenate([sizes, sizes[np.searchsorted(keepers, members.keeper)]]) + 1
    is_keeper = np.arange(len(images)) < len(keepers)
    relations = pa.array([layer.relation for layer in layers], pa.string())
    none = np.full(len(keepers), -1)
    via, distance = np.concatenate([none, members.layer]), np.concatenate([none * np.nan, members.distance])
    facts = {"relation": "duplicates", "run_id": run_id, "found_at": datetime.now(UTC)}
    for start in range(0, len(images), _ROWS):
        part = slice(start, start + _ROWS)
        missing = is_keeper[part]
        columns = {
            "image_id": image_ids.take(pa.array(images[part])),
            "group_id": image_ids.take(pa.array(groups[part])),
            "role": pc.if_else(pa.array(missing), "keeper", "member"),
            "via": relations.take(pa.array(via[part], mask=missing)),
            "distance": pa.array(distance[part], mask=missing),
            "size": pa.array(size[part].astype(np.int32)),
        }
        yield _with_facts(columns, facts)


def _with_facts(columns: dict[str, pa.Array], facts: dict[str, object]) -> pa.Table:
    count = len(columns["image_id"])
    same = {name: pa.repeat(pa.scalar(value), count) for name, value in facts.items()}
    return pa.table({**columns, **same})
