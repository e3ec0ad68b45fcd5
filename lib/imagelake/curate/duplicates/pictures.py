"""Duplicates by layer: a lake's pictures in, what each layer calls alike out; `groups` makes groups of it.

Pictures are numbered in the order in which they are worth keeping, 0 the best. Pictures that a layer cannot tell apart
are one item of it, named by the best of them, so that 10,000 copies are 10,000 members of one item and not 50 million
pairs. `near` holds the pairs of items that are alike but not equal, every one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.duplicates.hashes import Hashes, bits_apart, has_information, pairs_alike
from imagelake.errors import UsageError
from imagelake.lake.session import Session

Indices = NDArray[np.int64]

# Bytes before quality: of one picture at one size, the file with more bytes has lost least, while the score finds less
# noise in a copy that was compressed harder.
KEEPERS = {
    "resolution": "i.width_px::bigint * i.height_px desc",
    "bytes": "i.length_bytes desc",
    "quality": "q.score desc nulls last",
    "earliest": "e.captured_at asc nulls last",
}


@dataclass(frozen=True)
class Near:
    """Pairs of different items, each once: `first` < `second` (n,), distance (n,), orientation (n,) or None."""

    first: Indices
    second: Indices
    distance: NDArray[np.float64]
    orientation: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Layer:
    """What one layer says.

    Attributes:
        relation: `pairs.relation`.
        model_id: what was compared.
        threshold: the greatest distance that is alike.
        item: (n,) the item of every picture: the number of its best picture; -1 where it was not compared.
        near: items that are alike.
        compare: distances (m,) of pictures a (m,) to pictures b (m,); infinite where the layer does not call them
            alike. It looks at the hashes or vectors themselves, not at `near`.
    """

    relation: str
    model_id: str
    threshold: float
    item: Indices
    near: Near
    compare: Callable[[Indices, Indices], NDArray[np.float64]]


@dataclass(frozen=True)
class Pictures:
    """All pictures of a lake, the ones to keep first.

    Attributes:
        image_ids: n ids.
        pixels: (n,) number of the best picture with the same pixels, width, height and mode; -1 without pixel_hash.
        hashes: uint64 (n, 3): phash, dhash, dhash_vertical.
        is_hashed: (n,) whether there are hashes.
    """

    image_ids: pa.StringArray
    pixels: Indices
    hashes: Hashes
    is_hashed: NDArray[np.bool_]


def load_pictures(session: Session, keep: Sequence[str]) -> Pictures:
    """All pictures in the order of the rules.

    Args:
        session: the lake.
        keep: names of `KEEPERS`, the first rule first; image_id settles what they leave open.

    Raises:
        UsageError: there is no such rule.
    """
    if unknown := sorted(set(keep) - set(KEEPERS)):
        raise UsageError(f"--keep {','.join(unknown)}: choose from {','.join(KEEPERS)}")
    order = ", ".join([*(KEEPERS[name] for name in keep), "i.image_id"])
    rows = session.arrow(_PICTURES.format(order=order)).combine_chunks()
    columns = ("phash", "dhash", "dhash_vertical")
    hashes = [rows[c].fill_null(0).to_numpy().astype(np.int64).view(np.uint64) for c in columns]
    is_hashed = rows["phash"].is_valid().to_numpy()
    ids = rows["image_id"].cast(pa.string()).combine_chunks()
    return Pictures(ids, rows["pixels"].to_numpy().astype(np.int64), np.stack(hashes, axis=1), is_hashed)


# Only our own expressions are formatted in. Hashes of older definitions are not comparable with the newest ones; the
# last digit of a version only says whether there is a pixel_hash.
_PICTURES = """
with current_hashes as (
  select * from "hashes" where version // 10 = (select max(version) // 10 from "hashes")
),
ranked as (
  select
    i.image_id, i.width_px, i.height_px, i.mode, h.pixel_hash, h.phash, h.dhash, h.dhash_vertical,
    row_number() over (order by {order}) - 1 as place
  from images as i
  left join current_hashes as h on i.image_id = h.image_id
  left join quality as q on i.image_id = q.image_id and q.method = 'imagelake'
  left join exif as e on i.image_id = e.image_id and e.source = 'file'
)
select
  image_id, phash, dhash, dhash_vertical,
  if(pixel_hash is null, -1, min(place) over (partition by pixel_hash, width_px, height_px, mode)) as pixels
from ranked
order by place
"""


def pixel_layer(pictures: Pictures) -> Layer:
    """Pictures with equal pixels.

    Raises:
        UsageError: no picture has a pixel_hash.
    """
    item = pictures.pixels
    if len(item) and not (item >= 0).any():
        raise UsageError(
            "the lake has no pixel hashes: run `imagelake extract --only hashes` (without --no-pixel-hash), "
            "or leave them out: --layers phash,embedding"
        )

    def compare(a: Indices, b: Indices) -> NDArray[np.float64]:
        return np.where((item[a] == item[b]) & (item[a] >= 0), 0.0, np.inf)

    return Layer("pixels", "pixel_hash", 0.0, item, nothing_near(), compare)


def hash_layer(pictures: Pictures, max_bits: int) -> Layer:
    """Pictures whose perceptual hashes are alike in one of the eight orientations.

    Args:
        pictures: all pictures.
        max_bits: see `duplicates_hashes`.

    Raises:
        UsageError: no picture has hashes.
    """
    if len(pictures.is_hashed) and not pictures.is_hashed.any():
        raise UsageError("the lake has no perceptual hashes: run `imagelake extract --only hashes`")
    compared = np.flatnonzero(pictures.is_hashed & has_information(pictures.hashes))
    item, items = items_of(compared, pictures.hashes[compared], len(pictures.is_hashed))
    i, j, bits, orientation = pairs_alike(pictures.hashes[items], max_bits)

    def compare(a: Indices, b: Indices) -> NDArray[np.float64]:
        found, _ = bits_apart(pictures.hashes[a], pictures.hashes[b], max_bits)
        return np.where((found <= max_bits) & (item[a] >= 0) & (item[b] >= 0), found, np.inf)

    near = Near(items[i], items[j], bits.astype(np.float64), orientation)
    return Layer("phash", "phash", float(max_bits), item, near, compare)


def items_of(compared: Indices, rows: NDArray[np.uint64], count: int) -> tuple[Indices, Indices]:
    """Pictures with equal rows as items.

    Args:
        compared: m pictures, ascending.
        rows: (m, k), what says that they are equal.
        count: number of all pictures.

    Returns:
        The item of every picture (count,), -1 for those that are not compared; and the distinct items, ascending.
    """
    item = np.full(count, -1, np.int64)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    item[compared] = compared[first[inverse.ravel()]]
    return item, np.sort(compared[first])


def nothing_near() -> Near:
    """No pairs."""
    none = np.empty(0, np.int64)
    return Near(none, none, np.empty(0))
