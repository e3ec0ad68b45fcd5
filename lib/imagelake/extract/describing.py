"""Pictures that are not in the lake, described as its own are: files in, hashes and vectors of one model out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imagelake.errors import ModelUnavailable
from imagelake.extract.embedding import EmbeddingModel, load_model, parse_spec
from imagelake.extract.hashes import perceptual_hashes
from imagelake.image.decode import open_picture

Describe = Callable[[Sequence[bytes]], tuple[NDArray[np.uint64], NDArray[np.float32]]]


def stored_model(model_id: str) -> EmbeddingModel:
    """Load the model that made vectors of a lake; on the CPU, whatever precision they were made with.

    Raises:
        ModelUnavailable: the weights are not here, or are others than the lake's.
    """
    name = model_id.partition("@")[0]
    spec = parse_spec("descriptor" if name.startswith("descriptor:") else name)
    model = load_model(spec, device="cpu")
    if model.model_id != model_id.removesuffix("+bf16"):
        raise ModelUnavailable(f"these weights are others than the lake's: {model.model_id} here, {model_id} there")
    return model


def describer(model_id: str) -> Describe:
    """A function that describes the bytes of n pictures: uint64 (n, 3) phash, dhash, dhash_vertical; float32 (n, d).

    It raises `BadItem` for what is no picture.

    Raises:
        ModelUnavailable: see `stored_model`.
    """
    model = stored_model(model_id)

    def describe(files: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        card = model.card
        pictures = [open_picture(f, full=card.needs_full_decode, min_side_px=card.min_side_px) for f in files]
        hashes = np.array([perceptual_hashes(picture.small) for picture in pictures], np.int64)
        return hashes.view(np.uint64), model.embed(np.stack([model.preprocess(picture.rgb) for picture in pictures]))

    return describe
