"""ViT-B-32/openai against the vectors that the image tagging tools stored for 24 pictures.

Runs where the weights are in the local cache of the hub; nothing is downloaded for it.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagelake.extract.embedding import load_model, parse_spec

REPOSITORY, FILE = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def tagging() -> Path:
    corpus = os.environ.get("IMAGELAKE_CORPUS")
    if not corpus:
        pytest.skip("IMAGELAKE_CORPUS is not set")
    return Path(corpus) / "tagging"


def test_clip_vectors_equal_those_of_the_tagging_tools(tagging: Path) -> None:
    pytest.importorskip("open_clip")
    hub = pytest.importorskip("huggingface_hub")
    if not isinstance(hub.try_to_load_from_cache(REPOSITORY, FILE), str):
        pytest.skip(f"{FILE} of the hub repository {REPOSITORY} is not in the local cache")
    stored = json.loads((tagging / "input-metadata.json").read_text(encoding="utf-8"))
    expected = {entry["file_name"]: np.array(entry["embeddings_vector"]) for entry in stored.values()}
    files = sorted(path for path in (tagging / "tagged").rglob("*") if path.name in expected)
    assert len(files) == len(expected) == 24
    model = load_model(parse_spec("open_clip:ViT-B-32/openai"), device="cpu")
    images = [Image.open(file) for file in files]
    # the tools resized palette and alpha pictures before making them RGB: these are only like theirs
    least = [0.9999 if image.mode == "RGB" else 0.9 for image in images]
    assert least.count(0.9999) == 20
    vectors = model.embed(np.stack([model.preprocess(image.convert("RGB")) for image in images]))
    for file, vector, cosine in zip(files, vectors, least, strict=True):
        wanted = expected[file.name]
        assert vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted) >= cosine, file.name
