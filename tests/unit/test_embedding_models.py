"""open_clip and timm models against their own loops, on tiny networks with random weights."""

import hashlib
import io
import json
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagelake.errors import ModelUnavailable, UsageError
from imagelake.extract.embedding import EmbeddingModel, ModelCard, load_model, model_card, parse_spec

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
timm = pytest.importorskip("timm")

ARCH = "tiny-for-tests"
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
TIMM_ARCH = "test_vit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with checkpoints; open_clip knows the tiny architecture while it is there."""
    place = tmp_path_factory.mktemp("weights")
    (place / f"{ARCH}.json").write_text(json.dumps(TINY))
    factory = open_clip.factory
    before = list(factory._MODEL_CONFIG_PATHS), dict(factory._MODEL_CONFIGS)
    open_clip.add_model_config(place / f"{ARCH}.json")
    with torch.random.fork_rng():
        torch.manual_seed(7)
        state = open_clip.create_model(ARCH).state_dict()
        torch.save(state, place / "tiny.pt")
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, place / "training.pt")
        pytest.importorskip("safetensors.torch").save_file(state, place / "tiny.safetensors")
        torch.save({k: v + 1e-3 if k == "visual.proj" else v for k, v in state.items()}, place / "other.pt")
        torch.save(timm.create_model(TIMM_ARCH).state_dict(), place / "timm.pth")
    yield place
    factory._MODEL_CONFIG_PATHS[:] = before[0]
    factory._MODEL_CONFIGS.clear()
    factory._MODEL_CONFIGS.update(before[1])


@pytest.fixture(scope="module")
def clip(folder: Path) -> EmbeddingModel:
    return load_model(parse_spec(f"open_clip:{ARCH}/{folder}/tiny.pt"), device="cpu")


def card(folder: Path, name: str, **options: Any) -> ModelCard:
    return model_card(parse_spec(f"open_clip:{ARCH}/{folder}/{name}"), **{"device": "cpu", **options})


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(1)
    sizes = [(64, 64), (200, 90), (77, 301), (30, 40)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), np.uint8)) for w, h in sizes]


def least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def test_open_clip_vectors_equal_its_own_loop(folder: Path, clip: EmbeddingModel) -> None:
    bare, _, transform = open_clip.create_model_and_transforms(ARCH, pretrained=str(folder / "tiny.pt"))
    bare.eval()
    with torch.inference_mode():
        expected = bare.encode_image(torch.stack([transform(image) for image in pictures()])).numpy()
    vectors = clip.embed(np.stack([clip.preprocess(image) for image in pictures()]))
    assert vectors.shape == (4, clip.dimension) == (4, 24)
    assert vectors.dtype == np.float32
    assert least_cosine(vectors, expected) > 0.999999
    assert np.allclose(vectors, expected, atol=1e-5)  # raw: not normalised
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-2


def test_open_clip_embeds_text_comparably(folder: Path, clip: EmbeddingModel) -> None:
    bare = open_clip.create_model(ARCH, pretrained=str(folder / "tiny.pt")).eval()
    texts = ["a leopard", "two boats at dusk"]
    with torch.inference_mode():
        expected = bare.encode_text(open_clip.get_tokenizer(ARCH)(texts)).numpy()
    assert np.allclose(clip.embed_text(texts), expected, atol=1e-5)
    assert clip.embed_text([]).shape == (0, 24)


def test_pixels_may_be_read_only_few_or_none(clip: EmbeddingModel) -> None:
    pixels = np.stack([clip.preprocess(image) for image in pictures()])
    pixels.flags.writeable = False
    assert np.allclose(clip.embed(pixels)[:1], clip.embed(pixels[:1]), atol=1e-5)
    assert clip.embed(pixels[:0]).shape == (0, 24)
    with pytest.raises(ValueError, match="64, 64, 3"):
        clip.embed(pixels[:, :32])
    with pytest.raises(ValueError, match="uint8"):
        clip.embed(pixels.astype(np.float32))


def test_a_reduced_decode_keeps_the_vectors(clip: EmbeddingModel) -> None:
    """A JPEG decoded to no less than min_side_px gives a cosine of at least 0.9999."""
    wanted = clip.preprocess.size_px * 2
    assert (clip.card.min_side_px, clip.card.needs_full_decode) == (wanted, False)
    rng = np.random.default_rng(3)
    waves = rng.integers(0, 256, (24, 32, 3), np.uint8)
    large = Image.fromarray(waves).resize((1408, 1056), Image.Resampling.BICUBIC)
    grain = rng.integers(0, 12, (1056, 1408, 3), np.uint8)
    held = io.BytesIO()
    Image.fromarray(np.asarray(large) // 2 + grain).save(held, "JPEG", quality=90)
    squares = []
    for scale in (1, 8):
        with Image.open(held) as image:
            image.draft("RGB", (image.width // scale, image.height // scale))
            assert min(image.size) >= wanted
            squares.append(clip.preprocess(image))
    vectors = clip.embed(np.stack(squares))
    assert not np.array_equal(squares[0], squares[1])
    assert least_cosine(vectors[:1], vectors[1:]) >= 0.9999


def test_model_id_is_of_the_weights_not_of_their_file(folder: Path, clip: EmbeddingModel) -> None:
    ids = {name: card(folder, name).model_id for name in ("tiny.pt", "training.pt", "tiny.safetensors", "other.pt")}
    digests = {name: text.split("@")[1] for name, text in ids.items()}
    assert ids["tiny.pt"] == clip.model_id == f"open_clip:{ARCH}/tiny.pt@{digests['tiny.pt']}"
    assert len(digests["tiny.pt"]) == 12
    assert digests["tiny.pt"] == digests["training.pt"] == digests["tiny.safetensors"]
    assert digests["tiny.pt"] != digests["other.pt"]


def test_model_id_tells_the_precision_of_a_device_that_need_not_be_here(folder: Path) -> None:
    here, there = card(folder, "tiny.pt"), card(folder, "tiny.pt", device="cuda:0")
    assert there.model_id == here.model_id + "+bf16"
    assert (there.dimension, there.preprocess) == (here.dimension, here.preprocess)


def test_the_card_is_small_and_survives_pickling(clip: EmbeddingModel) -> None:
    packed = pickle.dumps(clip.card)
    assert len(packed) < 2000
    assert b"torch" not in packed
    assert pickle.loads(packed) == clip.card


def test_the_configuration_beside_a_checkpoint_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.pt").write_bytes((folder / "tiny.pt").read_bytes())
    config = {
        "model_cfg": {**TINY, "quick_gelu": True},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "resize_mode": "squash", "interpolation": "bilinear"},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    told = card(tmp_path, "tiny.pt")
    assert told.preprocess.resize == "squash"
    assert told.preprocess.interpolation == "bilinear"
    assert told.preprocess.mean == (0.5, 0.5, 0.5)
    assert told.model_id != card(folder, "tiny.pt").model_id
    del config["preprocess_cfg"]
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    activation = card(tmp_path, "tiny.pt")  # only the activation differs now
    assert activation.preprocess == card(folder, "tiny.pt").preprocess
    assert activation.model_id != card(folder, "tiny.pt").model_id


class TinyHub(BaseHTTPRequestHandler):
    """A hub that holds one repository, `tests/tiny`, with the files of a folder."""

    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def _answer(self) -> bytes:
        self.asked.append(self.path)
        file = self.folder / self.path.rpartition("/")[2]
        there = self.path.startswith("/tests/tiny/resolve/main/") and file.is_file()
        body = file.read_bytes() if there else b""
        self.send_response(200 if there else 404)
        if there:
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body


@pytest.fixture
def tiny_hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub on loopback with the published weights `openai` of the tiny architecture, and an empty cache."""
    hub = pytest.importorskip("huggingface_hub")
    published = {"hf_hub": "tests/tiny/", "quick_gelu": True, "resize_mode": "squash", "mean": [0.5] * 3}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, ARCH, {"openai": published})
    asked: list[str] = []
    (tmp_path / "files").mkdir()
    # only the pickled file: the safetensors that is preferred does not exist
    (tmp_path / "files" / "open_clip_pytorch_model.bin").write_bytes((folder / "tiny.pt").read_bytes())
    handler = type("Handler", (TinyHub,), {"folder": tmp_path / "files", "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(hub.constants, "ENDPOINT", endpoint)
        addresses = hub.constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")[1:]
        monkeypatch.setattr(hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "".join(addresses))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        yield asked
        server.shutdown()
        thread.join()


def test_published_weights_are_fetched_once_and_run_as_they_were_trained(folder: Path, tiny_hub: list[str]) -> None:
    """The activation of the tag is taken: open_clip 3 only warns that ViT-B-32/openai has another one."""
    model = load_model(parse_spec(f"open_clip:{ARCH}"), device="cpu")  # openai is the default
    assert model.model_id.startswith(f"open_clip:{ARCH}/openai@")
    assert (model.preprocess.resize, model.preprocess.mean) == ("squash", (0.5, 0.5, 0.5))
    bare = open_clip.create_model(ARCH, pretrained=str(folder / "tiny.pt"), force_quick_gelu=True).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    transform = open_clip.image_transform(64, is_train=False, mean=(0.5, 0.5, 0.5), resize_mode="squash")
    with torch.inference_mode():
        expected = bare.encode_image(transform(Image.fromarray(pixels[0]))[None]).numpy()
    assert np.allclose(model.embed(pixels), expected, atol=1e-5)
    assert any("open_clip_pytorch_model.bin" in path for path in tiny_hub)
    tiny_hub.clear()
    assert load_model(parse_spec(f"open_clip:{ARCH}/openai"), device="cpu").model_id == model.model_id
    assert tiny_hub == []  # the cache answered


# timm


@pytest.mark.parametrize("arch", ["test_vit", "test_resnet", "test_efficientnet"])
def test_timm_vectors_equal_its_own_loop(arch: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        bare = timm.create_model(arch, pretrained=False).eval()
    torch.save(bare.state_dict(), tmp_path / "x.pth")
    bare.reset_classifier(0)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(bare), is_training=False)
    with torch.inference_mode():
        expected = bare(torch.stack([transform(image) for image in pictures()])).numpy()
    threads = torch.get_num_threads()
    model = load_model(parse_spec(f"timm:{arch}/{tmp_path}/x.pth"), device="cpu", threads=1)
    try:
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    vectors = model.embed(np.stack([model.preprocess(image) for image in pictures()]))
    assert vectors.shape == (4, model.dimension)
    assert least_cosine(vectors, expected) > 0.99999
    assert np.allclose(vectors, expected, atol=1e-4)
    assert model.model_id.startswith(f"timm:{arch}/x.pth@")


def test_timm_cannot_embed_text(folder: Path) -> None:
    model = load_model(parse_spec(f"timm:{TIMM_ARCH}/{folder}/timm.pth"), device="cpu")
    with pytest.raises(UsageError, match="timm cannot embed text"):
        model.embed_text(["a leopard"])


# what is not there


def refused(text: str) -> str:
    with pytest.raises(ModelUnavailable) as raised:
        model_card(parse_spec(text), device="cpu")
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["open_clip", "timm"])
def test_a_missing_file_is_named(kind: str, folder: Path) -> None:
    arch = ARCH if kind == "open_clip" else TIMM_ARCH
    message = refused(f"{kind}:{arch}/{folder}/absent.pt")
    assert f"no checkpoint at {folder}/absent.pt" in message
    assert f"{folder} is a folder" in refused(f"{kind}:{arch}/{folder}")


class Planted:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("kind", ["open_clip", "timm"])
@pytest.mark.parametrize(
    "damage", ["empty", "text", "noise", "noise.safetensors", "cut", "cut.safetensors", "list", "other", "nothing"]
)
def test_a_damaged_or_foreign_checkpoint_is_one_line(kind: str, damage: str, folder: Path, tmp_path: Path) -> None:
    suffix = ".safetensors" if damage.endswith(".safetensors") else ".pt"
    path = tmp_path / f"damaged{suffix}"
    noise = np.random.default_rng(0).bytes(3000)
    own = {"open_clip": "tiny", "timm": "timm"}[kind]
    source = folder / ("tiny.safetensors" if suffix == ".safetensors" else f"{own}{'.pt' if own == 'tiny' else '.pth'}")
    contents = {"empty": b"", "text": b"hello\n", "noise": noise, "cut": source.read_bytes()[:-4000]}
    if damage == "list":
        torch.save([torch.zeros(2)], path)
    elif damage == "nothing":
        torch.save({}, path)
    elif damage == "other":
        torch.save({"conv.weight": torch.zeros(3, 3)}, path)
    else:
        path.write_bytes(contents[damage.split(".", maxsplit=1)[0]])
    arch = ARCH if kind == "open_clip" else TIMM_ARCH
    assert f"{path} is not a readable checkpoint of {kind} {arch}" in refused(f"{kind}:{arch}/{path}")


@pytest.mark.parametrize("kind", ["open_clip", "timm"])
def test_a_checkpoint_cannot_run_code(kind: str, folder: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    torch.save({"state_dict": {"weight": Planted(planted)}}, tmp_path / "evil.pt")
    refused(f"{kind}:{ARCH if kind == 'open_clip' else TIMM_ARCH}/{tmp_path}/evil.pt")
    assert not planted.exists()


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("open_clip:ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai"),
        ("open_clip:ViT-B-32/LAION2B-S34B-B79K", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("timm:test_vit", "timm/test_vit.r160_in1k"),
    ],
)
@pytest.mark.parametrize("offline", [True, False])
def test_weights_that_cannot_be_fetched_are_named(
    text: str, repository: str, offline: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    message = refused(text)
    assert repository in message
    assert str(tmp_path) in message
    assert f"--embed {text.split('/', maxsplit=1)[0]}/FILE" in message
    assert ("HF_HUB_OFFLINE" if offline else "127.0.0.1:9") in message


@pytest.mark.parametrize(
    ("text", "meant"), [("open_clip:ViT-B-32/open_ai", "openai"), ("timm:resnet18.a1_in2k", "a1_in1k")]
)
def test_an_unknown_tag_names_close_ones(text: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean .*{meant}"):
        model_card(parse_spec(text))


def test_a_device_that_is_not_here_is_the_operators_mistake(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UsageError, match="no usable CUDA device"):
        load_model(parse_spec(f"open_clip:{ARCH}/{folder}/tiny.pt"), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bf16_on_cuda_stays_close_to_float32(folder: Path, clip: EmbeddingModel) -> None:
    model = load_model(parse_spec(f"open_clip:{ARCH}/{folder}/tiny.pt"), device="cuda")
    pixels = np.stack([clip.preprocess(image) for image in pictures()])
    assert model.model_id == clip.model_id + "+bf16"
    assert least_cosine(model.embed(pixels), clip.embed(pixels)) > 0.999
    assert least_cosine(model.embed_text(["a leopard"]), clip.embed_text(["a leopard"])) > 0.999
