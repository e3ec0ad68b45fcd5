"""Lakes for dedupe made of rows alone: any hashes and vectors, thousands of pictures in a second."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.lake.lake import Lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.tables import table_def

NOW = datetime(2024, 5, 1, tzinfo=UTC)
MODEL = "timm:toy/none@0123456789ab"
OTHER_MODEL = "timm:toy/other@0123456789ab"


def image_id(number: int) -> str:
    """An id that says the number, in the order of the numbers."""
    return f"{number:064x}"


def write(lake: Lake, table: str, columns: Mapping[str, Iterable[object]]) -> None:
    """Write the only rows of a table; columns that are not given are null or of no interest."""
    definition = table_def(table)
    arrays = {name: pa.array(values, definition.schema.field(name).type) for name, values in columns.items()}
    count = len(next(iter(arrays.values())))
    facts = {"version": 1, "run_id": "made", "computed_at": NOW, "ingested_at": NOW}
    for name, field in zip(definition.schema.names, definition.schema, strict=True):
        if name not in arrays:
            arrays[name] = pa.array([facts.get(name)] * count, field.type)
    replace_rows(lake, "made", table, {}, [pa.table(arrays)])


def write_images(lake: Lake, count: int, sizes: Iterable[tuple[int, int]] | None = None) -> None:
    """Images 0 to count - 1."""
    shapes = list(sizes) if sizes is not None else [(40, 30)] * count
    same = {"uri": "x", "offset_bytes": 0, "length_bytes": 1, "format": "JPEG", "mode": "RGB", "frames": 1}
    write(
        lake,
        "images",
        {
            "image_id": [image_id(i) for i in range(count)],
            "width_px": [w for w, _ in shapes],
            "height_px": [h for _, h in shapes],
            **{name: [value] * count for name, value in same.items()},
            "has_alpha": [False] * count,
        },
    )


def write_hashes(lake: Lake, hashes: NDArray[np.uint64], pixels: Iterable[int] | None = None) -> None:
    """Hashes (n, 3) of images 0 to n - 1; equal numbers in `pixels` are equal pixel hashes."""
    numbers = range(len(hashes)) if pixels is None else pixels
    signed = hashes.view(np.int64)
    write(
        lake,
        "hashes",
        {
            "image_id": [image_id(i) for i in range(len(hashes))],
            "pixel_hash": [f"{n:0128x}" for n in numbers],
            "phash": signed[:, 0],
            "dhash": signed[:, 1],
            "dhash_vertical": signed[:, 2],
        },
    )


def write_vectors(lake: Lake, vectors: NDArray[np.float32], model_id: str = MODEL) -> None:
    """Vectors (n, d) of images 0 to n - 1."""
    write(
        lake,
        "embeddings",
        {
            "image_id": [image_id(i) for i in range(len(vectors))],
            "model_id": [model_id] * len(vectors),
            "vector": vectors.tolist(),
            "norm": np.linalg.norm(vectors.astype(np.float64), axis=1),
        },
    )


def random_hashes(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Hashes (count, 3) of pictures that have nothing to do with each other."""
    return rng.integers(0, 2**64, (count, 3), dtype=np.uint64)


def flipped(rng: np.random.Generator, hashes: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """The same with up to `bits` random bits of each number turned over."""
    places = rng.integers(0, 64, (*hashes.shape, bits), dtype=np.uint64)
    return np.asarray(hashes ^ np.bitwise_or.reduce(np.uint64(1) << places, axis=-1, initial=0))
