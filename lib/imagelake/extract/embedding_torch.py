"""What the models on torch share: device, precision, batches in and vectors out.

In: a loaded network. Out: an `EmbeddingModel`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagelake.errors import UsageError
from imagelake.extract.embedding_preprocess import Preprocess
from imagelake.extract.embedding_spec import ModelCard, ModelSpec, digest_of, import_package


@dataclass(frozen=True)
class Network:
    """A network with its weights, on the CPU.

    Attributes:
        module: the torch module, in evaluation mode.
        forward: normalised pixels, float (n, 3, s, s), to vectors (n, dimension).
        forward_text: texts and a device to vectors; None if the model has no text side.
        preprocess: what the model was trained with.
        name: '<arch>/<weights>' for the model_id.
        settings: what else decides a vector and is not in the weights.
    """

    module: Any
    forward: Callable[[Any], Any]
    forward_text: Callable[[Sequence[str], Any], Any] | None
    preprocess: Preprocess
    name: str
    settings: Mapping[str, Any]


class TorchModel:
    """An open_clip or timm model as an `EmbeddingModel`."""

    def __init__(self, spec: ModelSpec, network: Network, *, device: str | None, threads: int | None) -> None:
        torch = import_package("torch")
        self._device = torch.device(device or default_device())
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise UsageError(f"device {device!r} was asked for, and this machine has no usable CUDA device")
        if threads is not None:
            torch.set_num_threads(threads)
        self.card = card_of(spec, network, device=str(self._device))
        self.model_id = self.card.model_id
        self.dimension = self.card.dimension
        self.preprocess = network.preprocess
        self._kind = spec.kind
        self._network = network
        network.module.to(self._device)
        self._mean = torch.tensor(self.preprocess.mean, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(self.preprocess.std, device=self._device).view(1, 3, 1, 1)

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size_px, size_px, 3) as float32 (n, dimension), as the model gives them.

        The whole batch is on the device at once; its size is the caller's choice.

        Raises:
            ValueError: the pixels have another shape or type.
        """
        side = self.preprocess.size_px
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (side, side, 3):
            raise ValueError(f"the model takes uint8 (n, {side}, {side}, 3), not {pixels.dtype} {pixels.shape}")
        if len(pixels) == 0:
            return np.empty((0, self.dimension), np.float32)
        return self._run(lambda: self._network.forward(self._normalised(pixels)))

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as float32 (n, dimension), comparable with pictures by cosine.

        Raises:
            UsageError: the model has no text side.
            ModelUnavailable: its tokenizer is not here and cannot be fetched.
        """
        forward_text = self._network.forward_text
        if forward_text is None:
            raise UsageError(f"{self._kind} cannot embed text {list(texts)}: --text needs an open_clip model")
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._run(lambda: forward_text(texts, self._device))

    def _run(self, forward: Callable[[], Any]) -> NDArray[np.float32]:
        torch = import_package("torch")
        on_cuda = self._device.type == "cuda"
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=on_cuda):
            vectors = forward()
        return np.asarray(vectors.float().cpu().numpy())

    def _normalised(self, pixels: NDArray[np.uint8]) -> Any:
        """Pixels on the device as float32 (n, 3, s, s), with the rounding of torchvision's transforms."""
        torch = import_package("torch")
        # copied into memory of torch's own: pinned for CUDA, and Arrow's buffers are read-only
        staged = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        staged.numpy()[...] = pixels
        batch = staged.to(self._device, non_blocking=True).permute(0, 3, 1, 2).contiguous()
        return batch.float().div_(255.0).sub_(self._mean).div_(self._std)


def default_device() -> str:
    """'cuda' where torch can use it, else 'cpu'."""
    return "cuda" if import_package("torch").cuda.is_available() else "cpu"


def card_of(spec: ModelSpec, network: Network, *, device: str | None) -> ModelCard:
    """The card of a network, for the device that will compute; that device need not be in this machine.

    Raises:
        UsageError: the network does not give one vector per picture.
    """
    torch = import_package("torch")
    side = network.preprocess.size_px
    with torch.inference_mode():
        shape = tuple(network.forward(torch.zeros(1, 3, side, side)).shape)
    if len(shape) != 2:
        raise UsageError(f"{spec.text} gives {shape} for one picture, not one vector: not an embedding model")
    bf16 = "+bf16" if (device or default_device()).startswith("cuda") else ""
    weights = {"state": state_digest(network.module), **network.settings}
    return ModelCard(
        model_id=f"{spec.kind}:{network.name}@{digest_of(weights, network.preprocess)}{bf16}",
        dimension=shape[1],
        preprocess=network.preprocess,
        # twice the side: cosine to a full decode at least 0.9999, less change than a JPEG of quality 98 makes;
        # at the side itself the two antialiasing filters add up to 0.9993
        min_side_px=2 * network.preprocess.target_px,
        needs_full_decode=network.preprocess.interpolation == "nearest",
    )


def state_digest(module: Any) -> str:
    """SHA-256 (hex) over the names, types, shapes and bytes of a module's state, whatever file it came from."""
    torch = import_package("torch")
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
