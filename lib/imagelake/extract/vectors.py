"""The stage that holds a model: `_pixels/<i>` in, rows of `embeddings` out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa

from imagelake.extract.embedding import ModelCard, ModelSpec, load_model
from imagelake.lake.tables import InvalidRows, table_def

Batch = dict[str, pa.Table]
VERSION = 1


@dataclass(frozen=True)
class EmbedPictures:
    """Embeds the pictures of one output of `LookAtPictures`.

    Args:
        spec: the model.
        card: what the driver knows of it; the worker's model must have the same id.
        number: number of the output.
        run_id: the run.
        pool: "cpu" for models that need no accelerator and no weights.
    """

    spec: ModelSpec
    card: ModelCard
    number: int
    run_id: str
    pool: Literal["cpu", "model"] = "model"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """Load the model; the step."""
        model = load_model(self.spec)
        side = self.card.preprocess.size_px

        def embed(batch: Batch) -> Iterator[Batch]:
            batch = dict(batch)
            work = batch.pop(f"_pixels/{self.number}", None)
            if work is not None:
                pixels = work["pixels"].combine_chunks()
                flat = np.frombuffer(pixels.buffers()[1], np.uint8)[: len(pixels) * side * side * 3]
                vectors = model.embed(flat.reshape(-1, side, side, 3))
                rows = self._rows(work["image_id"], vectors, model.model_id)
                batch["embeddings"] = pa.concat_tables([t for t in (batch.get("embeddings"), rows) if t is not None])
            yield batch

        return embed

    def _rows(self, image_ids: pa.ChunkedArray, vectors: np.ndarray, model_id: str) -> pa.Table:
        """Rows of `embeddings`.

        Args:
            image_ids: n ids.
            vectors: float32 (n, dimension), as the model gives them.
            model_id: id of the model that ran here.

        Raises:
            InvalidRows: wrong shape, or numbers that are not finite.
        """
        count, dimension = len(image_ids), self.card.dimension
        if vectors.shape != (count, dimension) or not np.isfinite(vectors).all():
            raise InvalidRows(f"{model_id}: {count} x {dimension} finite numbers expected, shape {vectors.shape} came")
        offsets = pa.array(np.arange(0, (count + 1) * dimension, dimension, dtype=np.int32))
        now = datetime.now(UTC)
        columns = {
            "image_id": image_ids,
            "model_id": [model_id] * count,
            "vector": pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(vectors, np.float32).ravel())),
            "norm": np.linalg.norm(vectors.astype(np.float64), axis=1),
            "version": pa.array([VERSION] * count, pa.int32()),
            "run_id": [self.run_id] * count,
            "computed_at": pa.array([now] * count, pa.timestamp("us", "UTC")),
        }
        schema = table_def("embeddings").schema
        return pa.table(columns).select(schema.names).cast(schema)


def embed_stage(spec: ModelSpec, card: ModelCard, number: int, run_id: str) -> EmbedPictures:
    """The stage of a model, in the pool that suits it."""
    return EmbedPictures(spec, card, number, run_id, "cpu" if spec.kind == "descriptor" else "model")
