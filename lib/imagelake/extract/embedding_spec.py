"""What `--embed MODEL` says, and what is known of a model before the first picture.

In: text such as ``open_clip:ViT-B-32/openai``. Out: `ModelSpec`; no weights are loaded here.
"""

import difflib
import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from imagelake.errors import ModelUnavailable, UsageError
from imagelake.extract.embedding_preprocess import Preprocess

FORMS = "open_clip:ARCH[/TAG or FILE], timm:NAME[/FILE] or descriptor"
_PACKAGES = {"transformers": "pip install transformers"}  # wanted by a few text towers only, so in no extra


@dataclass(frozen=True)
class ModelSpec:
    """A model as asked for.

    Attributes:
        text: as given.
        kind: 'open_clip', 'timm' or 'descriptor'.
        arch: name of the architecture within the kind; 'classical' for the descriptor.
        weights: a published tag or the path of a local checkpoint; None means the default of the architecture.
    """

    text: str
    kind: str
    arch: str
    weights: str | None


@dataclass(frozen=True)
class ModelCard:
    """What the driver and the decoding workers need to know of a model; picklable, without torch.

    Attributes:
        model_id: '<kind>:<arch>/<weights>@<12 hex digits>', with '+bf16' behind when computed in bfloat16.
        dimension: length of a vector.
        preprocess: from a decoded picture to the model's pixels.
        min_side_px: shortest side that a reduced-scale decode must leave; of use if not needs_full_decode.
        needs_full_decode: a reduced-scale decode would change the vectors.
    """

    model_id: str
    dimension: int
    preprocess: Preprocess
    min_side_px: int
    needs_full_decode: bool


def parse_spec(text: str) -> ModelSpec:
    """Read the text of `--embed`.

    Raises:
        UsageError: not one of the forms, or no architecture of that name.
        ModelUnavailable: the package that knows the architectures is not installed.
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "descriptor" and not rest:
        return ModelSpec(text=text, kind="descriptor", arch="classical", weights=None)
    arch, _, weights = rest.partition("/")
    if kind not in ("open_clip", "timm") or not arch:
        raise UsageError(f"--embed {text!r} is not a model: give {FORMS}")
    names = _open_clip_names() if kind == "open_clip" else _timm_names()
    # a timm name may carry the tag of its weights: resnet18.a1_in1k
    if arch not in names and (kind != "timm" or arch.split(".")[0] not in names):
        raise UsageError(f"--embed {text!r}: {kind} has no architecture {arch!r}{did_you_mean(arch, names)}")
    return ModelSpec(text=text, kind=kind, arch=arch, weights=weights or None)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The end of a message: the known names closest to a wrong one, '' if none is close."""
    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    return "; did you mean " + " or ".join(lowered[each] for each in close) + "?" if close else ""


def import_package(name: str) -> Any:
    """Import a package that only some models need, or say how to install it.

    Raises:
        ModelUnavailable: the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        how = _PACKAGES.get(name, "pip install imagelake[embed]")
        raise ModelUnavailable(f"this model needs the package {name} ({error}): {how}") from error


def digest_of(weights: Mapping[str, Any], preprocess: Preprocess) -> str:
    """12 hex digits over whatever decides a vector: what identifies the weights, and the preprocessing."""
    parts = {"weights": dict(weights), "preprocess": asdict(preprocess)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _open_clip_names() -> list[str]:
    """Names of open_clip's architectures, from the files of the package: importing it takes seconds."""
    loaded = sys.modules.get("open_clip")
    if loaded is not None:  # it may have been given further ones by open_clip.add_model_config
        return list(loaded.list_models())
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        return list(import_package("open_clip").list_models())
    return sorted(path.stem for path in (Path(found.origin).parent / "model_configs").glob("*.json"))


@lru_cache(maxsize=1)
def _timm_names() -> list[str]:
    return list(import_package("timm").list_models())
