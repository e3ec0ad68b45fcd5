"""Embedding models: pictures (and for some models texts) to vectors.

In: the text of `--embed`, then batches of uint8 pixels made by the model's `Preprocess`. Out: float32 vectors,
raw as the model gives them. ``docs/embeddings.md`` says what each kind can do.

Torch, open_clip and timm are imported when a model of theirs is loaded, never before.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagelake.extract import embedding_open_clip, embedding_timm
from imagelake.extract.embedding_descriptor import Descriptor
from imagelake.extract.embedding_preprocess import Preprocess
from imagelake.extract.embedding_spec import ModelCard, ModelSpec, parse_spec
from imagelake.extract.embedding_torch import Network, TorchModel, card_of

__all__ = ["EmbeddingModel", "ModelCard", "ModelSpec", "Preprocess", "load_model", "model_card", "parse_spec"]


class EmbeddingModel(Protocol):
    """A loaded model.

    Attributes:
        model_id: names the model, its weights, preprocessing and precision; vectors of one id compare.
        dimension: length of a vector.
        preprocess: makes the pixels that `embed` takes.
    """

    model_id: str
    dimension: int
    preprocess: Preprocess

    @property
    def card(self) -> ModelCard:
        """The same as `model_card` gives for the model's device."""
        ...

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size_px, size_px, 3) as float32 (n, dimension), not normalised."""
        ...

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as float32 (n, dimension); UsageError where the model has no text side."""
        ...


def load_model(spec: ModelSpec, *, device: str | None = None, threads: int | None = None) -> EmbeddingModel:
    """Load a model.

    Args:
        spec: from `parse_spec`.
        device: a torch device such as 'cpu' or 'cuda:0'; None means CUDA where there is one.
        threads: CPU threads of torch in this process; None leaves them as they are.

    Raises:
        ModelUnavailable: a package or the weights are missing and cannot be fetched, or do not fit.
        UsageError: no such tag or device.
    """
    if spec.kind == "descriptor":
        return Descriptor()
    return TorchModel(spec, _network(spec), device=device, threads=threads)


def model_card(spec: ModelSpec, *, device: str | None = None) -> ModelCard:
    """What there is to know of a model before work is handed out; loads the weights to digest them.

    Args:
        spec: from `parse_spec`.
        device: where the vectors will be computed ('cpu', 'cuda'): the precision is part of the model_id.
            It need not be in this machine. None means CUDA where this machine has it.

    Raises:
        ModelUnavailable: a package or the weights are missing and cannot be fetched, or do not fit.
        UsageError: no such tag.
    """
    if spec.kind == "descriptor":
        return Descriptor().card
    return card_of(spec, _network(spec), device=device)


def _network(spec: ModelSpec) -> Network:
    if spec.kind == "open_clip":
        return embedding_open_clip.load_network(spec)
    return embedding_timm.load_network(spec)
