"""open_clip models: CLIP, SigLIP and their kin, with a text side.

In: a `ModelSpec`. Out: a `Network` on the CPU.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelake.errors import ModelUnavailable, UsageError
from imagelake.extract.embedding_preprocess import Preprocess
from imagelake.extract.embedding_spec import ModelSpec, did_you_mean, import_package
from imagelake.extract.embedding_torch import Network
from imagelake.extract.embedding_weights import broken_weights, hub_file, local_file, safe_names, unusable

_DEFAULT_TAG = "openai"
_DEFAULT_FILE = "open_clip_pytorch_model.bin"
_CONFIG_FILE = "open_clip_config.json"
_PREPROCESS_KEYS = ("mean", "std", "interpolation", "resize_mode", "fill_color")


@dataclass(frozen=True)
class _Source:
    """A checkpoint, and how it was trained: its preprocessing where known, and its activation."""

    path: Path
    name: str
    preprocess: dict[str, Any]
    quick_gelu: bool


def load_network(spec: ModelSpec) -> Network:
    """Load the weights and the preprocessing that belongs to them.

    Raises:
        ModelUnavailable: a package or the weights are missing, or the weights do not fit.
        UsageError: no such tag.
    """
    open_clip = import_package("open_clip")
    config = open_clip.get_model_config(spec.arch)
    source = _source(open_clip, spec)
    tower = config["text_cfg"].get("hf_model_name")
    if tower:  # its layout is described on the hub only
        import_package("transformers")
        hub_file(tower, ["config.json"], instead="put it into that cache")
    try:
        module = open_clip.create_model(
            spec.arch,
            pretrained=str(source.path),
            require_pretrained=True,
            weights_only=True,
            force_quick_gelu=source.quick_gelu,
            force_preprocess_cfg=source.preprocess,
        )
    except broken_weights() as error:
        raise unusable(spec, source.path, error) from error
    module.eval()
    return Network(
        module=module,
        forward=lambda batch: module.encode_image(batch, normalize=False),
        forward_text=_text_side(open_clip, spec, config, module),
        preprocess=_preprocess(spec, module.visual.preprocess_cfg),
        name=f"{spec.arch}/{source.name}",
        settings={"quick_gelu": source.quick_gelu or bool(config.get("quick_gelu"))},
    )


def _source(open_clip: Any, spec: ModelSpec) -> _Source:
    path = local_file(spec)
    if path is not None:
        return _local(open_clip, spec, path)
    tag = _tag(open_clip.list_pretrained_tags_by_model(spec.arch), spec)
    published = open_clip.get_pretrained_cfg(spec.arch, tag)
    repo, _, file = published.get("hf_hub", "").rpartition("/")
    instead = f"--embed open_clip:{spec.arch}/FILE"
    if not repo:
        url = published.get("url", "nowhere")
        raise ModelUnavailable(f"{spec.arch}/{tag} is not on the hub: fetch it from {url}, then {instead}")
    return _Source(
        path=hub_file(repo, safe_names(file or _DEFAULT_FILE), instead=instead),
        name=tag,
        preprocess=_training(published),
        # open_clip only warns of this mismatch and computes other vectors than the weights were trained for
        quick_gelu=bool(published.get("quick_gelu")),
    )


def _tag(tags: Sequence[str], spec: ModelSpec) -> str:
    """The published tag that is meant, in the spelling of open_clip."""
    asked = spec.weights or _DEFAULT_TAG
    tag = asked.lower().replace("-", "_")
    if tag in tags:
        return tag
    if not tags:
        raise ModelUnavailable(f"{spec.arch} has no published weights: give --embed open_clip:{spec.arch}/FILE")
    hint = did_you_mean(asked, tags) if spec.weights else ""
    raise UsageError(
        f"--embed {spec.text!r}: {asked!r} is neither a file nor a tag of {spec.arch}{hint}"
        + ("" if hint else f"; its tags: {', '.join(tags)}")
    )


def _local(open_clip: Any, spec: ModelSpec, path: Path) -> _Source:
    """A file: the training is told by the configuration beside it, else by what all published tags agree on."""
    beside = path.with_name(_CONFIG_FILE)
    if beside.is_file():
        try:
            config = json.loads(beside.read_text(encoding="utf-8"))
            training = _training(config.get("preprocess_cfg", {}))
            quick_gelu = bool(config.get("model_cfg", {}).get("quick_gelu"))
        except (OSError, ValueError, AttributeError) as error:
            raise unusable(spec, beside, error) from error
        return _Source(path=path, name=path.name, preprocess=training, quick_gelu=quick_gelu)
    tags = open_clip.list_pretrained_tags_by_model(spec.arch)
    trainings = [_training(open_clip.get_pretrained_cfg(spec.arch, tag)) for tag in tags]
    agreed = trainings[0] if trainings and all(each == trainings[0] for each in trainings) else {}
    return _Source(path=path, name=path.name, preprocess=agreed, quick_gelu=False)


def _training(published: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that `create_model` takes as force_preprocess_cfg."""
    return {key: published[key] for key in _PREPROCESS_KEYS if key in published}


def _preprocess(spec: ModelSpec, config: dict[str, Any]) -> Preprocess:
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UsageError(f"{spec.text} takes pictures of {width} x {height}: only square ones are supported")
    fill = int(config.get("fill_color", 0))
    return Preprocess(
        size_px=int(height),
        resize=config["resize_mode"],
        # as open_clip reads it: whatever is not bilinear is bicubic
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        mean=tuple(float(value) for value in config["mean"]),
        std=tuple(float(value) for value in config["std"]),
        fill=(fill, fill, fill),
    )


def _text_side(
    open_clip: Any, spec: ModelSpec, config: dict[str, Any], module: Any
) -> Callable[[Sequence[str], Any], Any]:
    """Texts to vectors; the tokenizer is made at the first call, for most runs never need it."""
    made: list[Any] = []

    def forward(texts: Sequence[str], device: Any) -> Any:
        if not made:
            name = config["text_cfg"].get("hf_tokenizer_name")
            if name:
                import_package("transformers")
                hub_file(name, ["tokenizer_config.json"], instead="put it into that cache")
            made.append(open_clip.get_tokenizer(spec.arch))
        return module.encode_text(made[0](list(texts)).to(device), normalize=False)

    return forward
