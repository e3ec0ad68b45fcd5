"""Lakes of given vectors, without pictures behind them."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa

from imagelake.lake.commits import Committer
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.tables import table_def

MODEL = "test:model/none@0123456789abcdef"


def name_of(number: int) -> str:
    """The image_id of vector `number`: sorted as the numbers are."""
    return f"{number:064x}"


def put_vectors(
    lake: Lake,
    vectors: np.ndarray,
    *,
    first: int = 0,
    version: int = 1,
    model: str = MODEL,
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
) -> None:
    """Commit vectors, float (n, d), as rows of `embeddings`."""
    definition = table_def("embeddings")
    count, d = vectors.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * d)
    columns = {
        "image_id": pa.array([name_of(first + i) for i in range(count)]),
        "vector": pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel().astype(np.float32))),
        "norm": pa.array(np.linalg.norm(vectors.astype(np.float64), axis=1)),
        "model_id": pa.repeat(pa.scalar(model), count),
        "version": pa.repeat(pa.scalar(version, pa.int32()), count),
        "run_id": pa.repeat(pa.scalar("20260101T000000Z-vectors"), count),
        "computed_at": pa.repeat(pa.scalar(at), count),
    }
    with duckdb.connect() as con:
        rows = pa.table(columns).select(definition.schema.names).cast(definition.schema)
        committer = Committer(lake, f"run-{first}-{version}-{model}", lake.ensure_tables(["embeddings"]))
        committer.add(write_fragment(lake.storage, definition, rows, f"run-{first}-{version}", con))
        committer.flush()


def groups(count: int, of: int, seed: int = 0, d: int = 16) -> np.ndarray:
    """`count` groups of `of` alike vectors, lengths from 1 to 3."""
    rng = np.random.default_rng(seed)
    alike = np.repeat(rng.normal(size=(count, d)), of, axis=0)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    near = alike + 0.02 * rng.normal(size=alike.shape)
    return (near * rng.uniform(1, 3, (count * of, 1))).astype(np.float32)
