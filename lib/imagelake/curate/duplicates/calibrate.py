"""Thresholds from a lake's own pictures: a sample, copies planted of it, and the strangers nearest to it.

For each layer two numbers are found, `mild` (what 95 % of the mild copies reach) and `stranger` (what the nearest
stranger of 99 % of the sample does not reach), and the stricter of the two is the threshold: as strict as strangers
demand, and not laxer than copies need. A stranger to one layer is a picture that the other layer, loosely set, does
not call a copy; pictures that are copies in truth and that neither layer sees make the threshold stricter, never laxer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.duplicates.hashes import Hashes, has_information, least_bits
from imagelake.curate.duplicates.transforms import MILD, TRANSFORMS, planted
from imagelake.curate.vectors import load_vectors
from imagelake.errors import BadItem, UsageError
from imagelake.image.decode import open_picture
from imagelake.lake.blobs import read_blobs
from imagelake.lake.session import Session
from imagelake.lake.storage import Storage

Vectors = NDArray[np.float32]
Describe = Callable[[Sequence[bytes]], tuple[Hashes, Vectors]]

OTHERS = 20_000  # pictures among which strangers are looked for
LOOSE_BITS = 16  # above this, hashes say nothing in favour of a copy
_SIDE_PX = 512  # copies are made of the picture at this size or up to twice as large
_DECIMALS = 4
# Hashes that agree so well are copies, whatever the vectors say.
_BITS_AT_LEAST, _BITS_AT_MOST = 4, 16


@dataclass(frozen=True)
class Described:
    """Pictures by what is compared: hashes uint64 (n, 3), vectors float32 (n, d) of length 1."""

    hashes: Hashes
    vectors: Vectors


@dataclass(frozen=True)
class Threshold:
    """What was found for one layer; bits or cosines, by transform the number of copies found."""

    value: float
    stranger: float
    mild: float
    found: dict[str, int]


@dataclass(frozen=True)
class Calibration:
    """Thresholds of both layers, from `copies` pictures; `either`: copies that one layer or the other finds."""

    copies: int
    phash: Threshold
    embedding: Threshold
    either: dict[str, int]


def calibrate(session: Session, storage: Storage, model_id: str, describe: Describe, size: int) -> Calibration:
    """Calibrate on the first pictures by image_id, which is as good as a draw.

    Args:
        session: the lake.
        storage: where the bytes are.
        model_id: the model.
        describe: hashes and vectors of files, as the lake's own were made; raises BadItem.
        size: number of pictures to make copies of.

    Raises:
        UsageError: fewer than two pictures have hashes and vectors and can be read.
    """
    rows, lake = _described(session, model_id)
    places = zip(*(rows[c].to_pylist()[:size] for c in ("uri", "offset_bytes", "length_bytes")), strict=True)
    made = [_copies(data, describe) for data in read_blobs(storage, places)]
    sample = np.array([i for i, copies in enumerate(made) if copies is not None], np.int64)
    if len(sample) < 2:
        raise UsageError(
            "nothing to calibrate on: two pictures at least must have hashes and vectors and be readable; "
            "run `imagelake extract --embed descriptor` (or another model)"
        )
    stacked = [copies for copies in made if copies is not None]
    copies = {
        name: Described(np.stack([c.hashes[i] for c in stacked]), np.stack([c.vectors[i] for c in stacked]))
        for i, name in enumerate(TRANSFORMS)
    }
    return thresholds(lake, sample, copies)


def _described(session: Session, model_id: str) -> tuple[pa.Table, Described]:
    """Places of the bytes, hashes and vectors of the first pictures that have all of them."""
    ids, vectors = load_vectors(session, model_id)
    session.con.register("rows", pa.table({"image_id": ids, "row": np.arange(len(ids))}))
    rows = session.arrow(_HASHED, {"others": OTHERS}).combine_chunks()
    session.con.unregister("rows")
    columns = [rows[c].to_numpy().astype(np.int64).view(np.uint64) for c in ("phash", "dhash", "dhash_vertical")]
    hashes = np.stack(columns, axis=1)
    telling = has_information(hashes)
    return rows.filter(pa.array(telling)), Described(hashes[telling], vectors[rows["row"].to_numpy()[telling]])


_HASHED = """
select i.uri, i.offset_bytes, i.length_bytes, h.phash, h.dhash, h.dhash_vertical, r.row
from rows as r
inner join images as i on r.image_id = i.image_id
inner join "hashes" as h on r.image_id = h.image_id
where h.version // 10 = (select max(version) // 10 from "hashes")
order by r.image_id
limit $others
"""


def _copies(data: bytes | OSError, describe: Describe) -> Described | None:
    """All transforms of one picture; None where it cannot be read any more."""
    if isinstance(data, OSError):
        return None
    try:
        rgb = open_picture(data, min_side_px=_SIDE_PX).rgb
        hashes, vectors = describe([planted(rgb, name) for name in TRANSFORMS])
    except BadItem:
        return None
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Described(hashes, (vectors / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32))


def thresholds(lake: Described, sample: NDArray[np.int64], copies: dict[str, Described]) -> Calibration:
    """Choose the thresholds.

    Args:
        lake: pictures of the lake, n of them.
        sample: (s,) which of them the copies were made of.
        copies: by transform, s each.
    """
    bits = {name: least_bits(lake.hashes[sample], made.hashes) for name, made in copies.items()}
    cosines = {name: np.sum(lake.vectors[sample] * made.vectors, axis=1) for name, made in copies.items()}
    mild_bits = _quantile(np.concatenate([bits[name][bits[name] < 64] for name in MILD]), 0.95)
    mild = float(np.quantile(np.concatenate([cosines[name] for name in MILD]), 0.05, method="lower"))
    nearest = np.array([_strangers(lake, i, mild) for i in sample.tolist()])
    near_bits = float(np.quantile(nearest[:, 0], 0.01, method="lower"))
    near = float(np.quantile(nearest[:, 1], 0.99, method="higher"))
    max_bits = min(max(min(mild_bits, near_bits - 1), _BITS_AT_LEAST), _BITS_AT_MOST)
    step = 10.0**_DECIMALS
    least = min(1.0, max(np.floor(mild * step), np.floor(near * step) + 1) / step)
    hits = {name: (bits[name] <= max_bits, cosines[name] >= least) for name in copies}
    return Calibration(
        len(sample),
        Threshold(max_bits, near_bits, mild_bits, {name: int(by.sum()) for name, (by, _) in hits.items()}),
        Threshold(float(least), near, mild, {name: int(by.sum()) for name, (_, by) in hits.items()}),
        {name: int((a | b).sum()) for name, (a, b) in hits.items()},
    )


def _quantile(bits: NDArray[np.uint8], share: float) -> float:
    return float(np.quantile(bits, share, method="higher")) if len(bits) else 0.0


def _strangers(lake: Described, picture: int, mild: float) -> tuple[float, float]:
    """Bits and cosine of the strangers nearest to a picture; 64 and -1 where there are none."""
    bits = least_bits(np.broadcast_to(lake.hashes[picture], lake.hashes.shape), lake.hashes)
    cosines = lake.vectors @ lake.vectors[picture]
    other = np.arange(len(bits)) != picture
    to_hashes = bits[other & (cosines < mild)]
    to_vectors = cosines[other & (bits > LOOSE_BITS)]
    return float(to_hashes.min(initial=64)), float(to_vectors.max(initial=-1))


def calibration_rows(found: Calibration, model_id: str, run_id: str) -> list[dict[str, object]]:
    """Rows of the table `calibrations`."""
    now = datetime.now(UTC)
    layers = {("phash", "phash"): found.phash, ("embedding", model_id): found.embedding}
    return [
        {
            "run_id": run_id,
            "relation": relation,
            "model_id": model,
            "transform": transform,
            "threshold": layer.value,
            "copies": found.copies,
            "found": layer.found[transform],
            "stranger": layer.stranger,
            "mild": layer.mild,
            "calibrated_at": now,
        }
        for (relation, model), layer in layers.items()
        for transform in layer.found
    ]


def told(found: Calibration, model_id: str) -> dict[str, object]:
    """The same for the report of the run: thresholds, then the share of copies found by transform."""
    lines: dict[str, object] = {
        "bits": f"at most {found.phash.value:g} of 64; {_between(found.phash)}",
        "cosine": f"at least {found.embedding.value:g} by {model_id}; {_between(found.embedding)}",
    }
    for name in TRANSFORMS:
        hits = (found.phash.found[name], found.embedding.found[name], found.either[name])
        shares = (f"{hit / found.copies:.2f}" for hit in hits)
        lines[f"found of {name}"] = "phash {}, embedding {}, either {}".format(*shares)
    return lines


def _between(layer: Threshold) -> str:
    return f"mild copies reach {layer.mild:.4g}, the nearest strangers {layer.stranger:.4g}"


def calibrated(session: Session, model_id: str) -> tuple[int | None, float | None]:
    """The newest calibrated greatest number of bits, and least cosine of a model; None where there is none."""
    rows = session.execute(_NEWEST, {"model_id": model_id}).fetchall()
    newest: dict[str, float] = dict(rows)
    bits = newest.get("phash")
    return None if bits is None else int(bits), newest.get("embedding")


_NEWEST = """
select relation, arg_max(threshold, calibrated_at)
from calibrations
where model_id in ('phash', $model_id)
group by relation
"""
