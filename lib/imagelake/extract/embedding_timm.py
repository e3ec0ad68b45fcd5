"""timm models: networks trained for classification or by self-supervision, without their classifier.

In: a `ModelSpec`. Out: a `Network` on the CPU; its vector is what the classifier would see.
"""

import math
import sys
from pathlib import Path
from typing import Any

from imagelake.errors import ModelUnavailable, UsageError
from imagelake.extract.embedding_preprocess import Preprocess
from imagelake.extract.embedding_spec import ModelSpec, did_you_mean, import_package
from imagelake.extract.embedding_torch import Network
from imagelake.extract.embedding_weights import broken_weights, hub_file, local_file, safe_names, unusable

_DEFAULT_FILE = "pytorch_model.bin"
_RESIZES = {"center": "shortest", "squash": "squash", "border": "longest"}


def load_network(spec: ModelSpec) -> Network:
    """Load the weights and the preprocessing of evaluation.

    Raises:
        ModelUnavailable: a package or the weights are missing, or the weights do not fit.
        UsageError: no such tag.
    """
    timm = import_package("timm")
    arch, _, tag = spec.arch.partition(".")
    path = local_file(spec)
    if spec.weights is not None and path is None:
        raise ModelUnavailable(f"no checkpoint at {spec.weights}: put the weights of timm {spec.arch} there")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{arch}.*")]
    if tag and tag not in tags:
        raise UsageError(f"--embed {spec.text!r}: {arch} has no weights {tag!r}{did_you_mean(tag, tags)}")
    if path is not None:
        module, name = _from_file(timm, spec, path), path.name
    else:
        module = _published(timm, spec)
        name = module.pretrained_cfg.get("tag") or "pretrained"
    module.eval()
    return Network(
        module=module,
        forward=module,
        forward_text=None,
        preprocess=_preprocess(spec, timm.data.resolve_model_data_config(module)),
        name=f"{arch}/{name}",
        settings={},
    )


def _published(timm: Any, spec: ModelSpec) -> Any:
    """The network with timm's own weights, through a file that is here."""
    config = timm.get_pretrained_cfg(spec.arch)
    repo, _, revision = ((config and config.hf_hub_id) or "").partition("@")
    instead = f"--embed timm:{spec.arch}/FILE"
    if not repo:
        where = (config and config.url) or "no place known"
        raise ModelUnavailable(f"{spec.arch} is not on the hub ({where}): fetch its weights, then {instead}")
    names = safe_names(config.hf_hub_filename or _DEFAULT_FILE)
    path = hub_file(repo, names, revision=revision or None, instead=instead)
    try:
        return timm.create_model(spec.arch, pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": str(path)})
    except broken_weights() as error:
        raise unusable(spec, path, error) from error


def _from_file(timm: Any, spec: ModelSpec, path: Path) -> Any:
    """The network with the weights of a user's file, whose classifier is left out."""
    module = timm.create_model(spec.arch, pretrained=False, num_classes=0)
    try:
        state = timm.models.load_state_dict(str(path), weights_only=True)
        classifier = module.pretrained_cfg.get("classifier") or ()
        heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in heads}
        if set(state) != set(module.state_dict()):  # weights as their first authors named them
            convert = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
            state = convert(state, module) if convert else state
        module.load_state_dict(state, strict=True)
    except broken_weights() as error:
        raise unusable(spec, path, error) from error
    return module


def _preprocess(spec: ModelSpec, config: dict[str, Any]) -> Preprocess:
    """timm.data.transforms_imagenet_eval as a `Preprocess`."""
    channels, height, width = config["input_size"]
    if height != width or channels != 3:
        raise UsageError(f"{spec.text} takes {channels} x {width} x {height}: only square RGB is supported")
    mean = tuple(float(value) for value in config["mean"])
    red, green, blue = (round(255 * value) for value in mean)
    return Preprocess(
        size_px=height,
        resize=_RESIZES[config["crop_mode"]],
        interpolation=config["interpolation"],
        mean=mean,
        std=tuple(float(value) for value in config["std"]),
        resize_px=math.floor(height / config["crop_pct"]),
        fill=(red, green, blue),
    )
