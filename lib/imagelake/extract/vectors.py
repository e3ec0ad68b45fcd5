"""The stage that holds a model: `_pixels/<i>` in, rows of `embeddings` out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from imagelake.errors import EngineError
from imagelake.extract.embedding import EmbeddingModel, ModelCard, ModelSpec, load_model, model_card
from imagelake.lake.tables import InvalidRows, table_def

Batch = dict[str, pa.Table]
VERSION = 1


@dataclass(frozen=True)
class EmbedPictures:
    """Embeds the pictures of one output of `LookAtPictures`.

    Args:
        spec: the model.
        card: what the driver knows of it; the worker's model must have the same id.
        device: `cuda`, `cpu` or what torch names; None for the best of the machine.
        number: number of the output.
        run_id: the run.
        pool: "cpu" for models that need no accelerator and no weights.
    """

    spec: ModelSpec
    card: ModelCard
    device: str | None
    number: int
    run_id: str
    pool: Literal["cpu", "model"] = "model"

    def open(self) -> Callable[[Batch], Iterator[Batch]]:
        """Load the model; the step.

        Raises:
            EngineError: the worker computes other vectors than the driver announced, as on another device.
        """
        model = loaded_model(self.spec, self.device)
        if model.model_id != self.card.model_id:
            raise EngineError(
                f"workers would make {model.model_id}, not {self.card.model_id}: give --device cpu or cuda"
            )
        side = self.card.preprocess.size_px

        def embed(batch: Batch) -> Iterator[Batch]:
            batch = dict(batch)
            work = batch.pop(f"_pixels/{self.number}", None)
            if work is not None:
                vectors = model.embed(_bytes_of(work["pixels"]).reshape(-1, side, side, 3))
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


def embed_stage(spec: ModelSpec, card: ModelCard, device: str | None, number: int, run_id: str) -> EmbedPictures:
    """The stage of a model, in the pool that suits it."""
    return EmbedPictures(spec, card, device, number, run_id, "cpu" if spec.kind == "descriptor" else "model")


def loaded_model(spec: ModelSpec, device: str | None) -> EmbeddingModel:
    """The model, loaded once per process: for its card on the driver, and for the local engine's work."""
    path = Path(spec.weights or "")
    status = path.stat() if spec.weights and path.is_file() else None
    return _loaded(spec, device, status and (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=4)
def _loaded(spec: ModelSpec, device: str | None, weights: tuple[int, int] | None) -> EmbeddingModel:  # noqa: ARG001
    """By the state of the weights' file too: other weights at the same path are another model."""
    return load_model(spec, device=device)


def card_of(spec: ModelSpec, device: str | None) -> ModelCard:
    """What the driver must know of a model; for a named device, which this machine need not have."""
    return loaded_model(spec, None).card if device is None else model_card(spec, device=device)


def _bytes_of(pixels: pa.ChunkedArray) -> np.ndarray:
    """The bytes of fixed-size binary values, without a copy: uint8 (n * width,)."""
    array = pixels.combine_chunks()
    width = array.type.byte_width
    return np.frombuffer(array.buffers()[1], np.uint8)[array.offset * width : (array.offset + len(array)) * width]
