"""Where the weights of a model come from: a local file, the local cache of the hub, or the hub itself.

In: the name of what is needed. Out: the path of a file, and what went wrong as one line.
"""

import os
import pickle
import socket
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagelake.errors import ModelUnavailable
from imagelake.extract.embedding_spec import ModelSpec, import_package

CONNECT_TIMEOUT_S = 3.0
# What reading a damaged or foreign checkpoint raises in torch, safetensors, open_clip and timm
BROKEN_WEIGHTS = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    EOFError,
    StopIteration,
    pickle.UnpicklingError,
)
_CHECKPOINT_SUFFIXES = {".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".npz", ".tar"}


def one_line(error: BaseException) -> str:
    """The message of an exception without line breaks, at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def unusable(spec: ModelSpec, path: Path, error: BaseException) -> ModelUnavailable:
    """The error of a file that is there and is not a checkpoint of this architecture."""
    return ModelUnavailable(f"{path} is not a readable checkpoint of {spec.kind} {spec.arch}: {one_line(error)}")


def broken_weights() -> tuple[type[Exception], ...]:
    """`BROKEN_WEIGHTS` and the error of safetensors, which derives from none of them."""
    return (*BROKEN_WEIGHTS, import_package("safetensors").SafetensorError)


def local_file(spec: ModelSpec) -> Path | None:
    """The local checkpoint that the spec names; None when it names a published tag or nothing.

    Raises:
        ModelUnavailable: it names a path, and there is no such file.
    """
    if spec.weights is None:
        return None
    path = Path(spec.weights).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise ModelUnavailable(f"{path} is a folder: give the checkpoint file in it")
    if len(path.parts) > 1 or path.suffix in _CHECKPOINT_SUFFIXES:
        raise ModelUnavailable(f"no checkpoint at {path}: put the weights of {spec.kind} {spec.arch} there")
    return None


def hub_file(repo: str, names: Sequence[str], *, revision: str | None = None, instead: str) -> Path:
    """Find one file of a hub repository in the local cache, or download it.

    Args:
        repo: id of the repository, 'owner/name'.
        names: names of the file, the preferred one first; the first that exists is taken.
        revision: branch, tag or commit; None means the main branch.
        instead: what to do without the hub; the end of the message.

    Raises:
        ModelUnavailable: not in the cache, and offline, unreachable or refused.
    """
    # must be set before the hub's client is imported, and once more if something else imported it
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    hub = import_package("huggingface_hub")
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    for name in names:
        cached = hub.try_to_load_from_cache(repo, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    trouble = "HF_HUB_OFFLINE is set" if hub.is_offline_mode() else _unreachable(hub.constants.ENDPOINT)
    if not trouble:
        try:
            return _download(hub, repo, names, revision)
        except (OSError, ValueError, RuntimeError) as error:  # the hub's own errors derive from OSError
            trouble = one_line(error)
    raise ModelUnavailable(
        f"{' or '.join(names)} of the hub repository {repo} is not in the cache {hub.constants.HF_HUB_CACHE} "
        f"and cannot be fetched ({trouble}): fetch it on a connected machine, then {instead}"
    )


def safe_names(name: str) -> list[str]:
    """Names that a file of weights may have on the hub: safetensors first, then the pickled one."""
    stem, _, suffix = name.rpartition(".")
    if name.endswith("pytorch_model.bin"):
        return [name.replace("pytorch_model.bin", "model.safetensors"), name]
    return [f"{stem}.safetensors", name] if suffix in ("bin", "pt", "pth") else [name]


def _download(hub: Any, repo: str, names: Sequence[str], revision: str | None) -> Path:
    missing: Exception | None = None
    for name in names:
        try:
            return Path(hub.hf_hub_download(repo, name, revision=revision, etag_timeout=CONNECT_TIMEOUT_S))
        except hub.errors.RemoteEntryNotFoundError as error:
            missing = error  # the repository has no file of this name; it may have the next
    raise RuntimeError("the repository has no such file") from missing


def _unreachable(endpoint: str) -> str:
    """Why the hub (or the proxy before it) takes no connection, '' if it does.

    The client of the hub tries again for half a minute when there is no network; one attempt says enough.
    """
    url = urllib.parse.urlsplit(endpoint)
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy and not urllib.request.proxy_bypass(url.hostname or ""):
        url = urllib.parse.urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return f"no connection to {url.hostname}:{port}, {one_line(error)}"
    return ""
