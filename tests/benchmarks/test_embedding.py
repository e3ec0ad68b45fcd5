"""ViT-B-32: wall time of `extract --embed` against a plain open_clip loop in the same batches with the same threads."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagelake.extract import vectors
from imagelake.extract.embedding import parse_spec
from imagelake.jobs import extract
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, Comparison, versions, wait_for_quiet, wall_of
from tests.benchmarks.test_extract import FreshLakes

BATCH = 64
TOY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 224, "layers": 1, "width": 32, "head_width": 16, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}


def random_weights(arch: str, folder: Path) -> Path:
    """Weights drawn from a seed, saved once: the time does not depend on what they are."""
    path = folder / f"{arch}-seed-0.pt"
    if not path.exists():
        import open_clip
        import torch

        torch.manual_seed(0)
        model = open_clip.create_model(arch)
        torch.save(model.state_dict(), path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    return path


class BareLoop:
    """Read, decode, open_clip's own preprocessing, encode_image; model and transform loaded beforehand."""

    def __init__(self, arch: str, weights: str) -> None:
        import open_clip

        self._model, _, self._preprocess = open_clip.create_model_and_transforms(arch, pretrained=weights)
        self._model.eval()

    def __call__(self, paths: list[Path]) -> dict[str, NDArray[np.float32]]:
        import torch

        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(paths), BATCH):
            chunk = paths[start : start + BATCH]
            batch = torch.stack([self._preprocess(_upright(path)) for path in chunk])
            with torch.inference_mode():
                encoded = self._model.encode_image(batch).numpy()
            found.update(zip(map(str, chunk), encoded, strict=True))
        return found


def _upright(path: Path) -> Image.Image:
    """The only thing added to open_clip's loop, which leaves pictures as they lie: their orientation."""
    from PIL import ImageOps

    image = Image.open(path)
    turned = ImageOps.exif_transpose(image)
    return (turned or image).convert("RGB")


@pytest.fixture
def spec_text(size: Size, tmp_path: Path) -> str:
    """`open_clip:ARCH/FILE`: ViT-B-32 in full, a tiny network of the same kind among the tests."""
    if size.is_full:
        return f"open_clip:ViT-B-32/{random_weights('ViT-B-32', CACHE)}"
    import open_clip

    (tmp_path / "tiny-bench.json").write_text(json.dumps(TOY))
    open_clip.add_model_config(tmp_path / "tiny-bench.json")
    return f"open_clip:tiny-bench/{random_weights('tiny-bench', tmp_path)}"


def test_embedding_keeps_up_with_a_bare_loop(
    size: Size,
    pictures: Callable[[int], Path],
    fresh_lakes: FreshLakes,
    spec_text: str,
) -> None:
    import torch

    folder = pictures(size.of(4, 128))
    paths = sorted(folder.iterdir())
    bare_loop = BareLoop(*spec_text.removeprefix("open_clip:").split("/", 1))
    began = time.perf_counter()
    vectors.loaded_model(parse_spec(spec_text), None)  # the job finds it there
    loading = time.perf_counter() - began
    fresh = fresh_lakes(folder)
    lakes: list[Lake] = []
    expected: dict[str, Any] = {}

    def ours() -> float:
        lakes.append(fresh())
        config = extract.Config(lakes[-1].root, only=(), embed=(spec_text,), engine="local", quiet=True)
        return wall_of(lambda: extract.run(config, lakes[-1]))

    def bare() -> float:
        return wall_of(lambda: expected.update(bare_loop(paths)))

    if size.is_full:
        wait_for_quiet()
    bare(), ours()
    found = Comparison("throughput of extract --embed ViT-B-32 / bare open_clip loop", len(paths), "wall")
    found.rounds(size.of(1, 7), bare, ours)
    cosines = _cosines(lakes[-1], expected)
    used = versions("imagelake", "torch", "open_clip_torch", "pillow")
    apart = {"threads": torch.get_num_threads(), "loading_s_apart": round(loading, 2)}
    found.report(">= 0.95", used, least_cosine=round(min(cosines), 6), **apart)
    assert min(cosines) >= 0.9999
    assert not size.is_full or found.ratio >= 0.95


def _cosines(lake: Lake, expected: dict[str, NDArray[np.float32]]) -> list[float]:
    """Cosine of every stored vector to that of the loop."""
    with Session(lake) as session:
        rows = session.execute("select uri, vector from embeddings join images using (image_id)").fetchall()
    assert {uri for uri, _ in rows} == set(expected)
    pairs = [(np.array(vector), expected[uri]) for uri, vector in rows]
    return [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]
