"""`--embed` texts, and preprocessing against torchvision."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

import imagelake
from imagelake.errors import UsageError
from imagelake.extract.embedding import ModelSpec, Preprocess, parse_spec
from imagelake.extract.embedding_spec import did_you_mean, digest_of
from imagelake.extract.embedding_weights import safe_names

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.2, 0.25)


@pytest.mark.parametrize(
    ("text", "kind", "arch", "weights"),
    [
        ("descriptor", "descriptor", "classical", None),
        ("open_clip:ViT-B-32/openai", "open_clip", "ViT-B-32", "openai"),
        ("open_clip:ViT-B-32", "open_clip", "ViT-B-32", None),
        ("open_clip:ViT-B-32//data/with/slashes.pt", "open_clip", "ViT-B-32", "/data/with/slashes.pt"),
        ("open_clip:ViT-B-32/here/x.pt", "open_clip", "ViT-B-32", "here/x.pt"),
        ("timm:test_vit", "timm", "test_vit", None),
        ("timm:test_vit.r160_in1k/x.pt", "timm", "test_vit.r160_in1k", "x.pt"),
    ],
)
def test_reads_every_form(text: str, kind: str, arch: str, weights: str | None) -> None:
    pytest.importorskip("open_clip")
    assert parse_spec(text) == ModelSpec(text=text, kind=kind, arch=arch, weights=weights)


@pytest.mark.parametrize("text", ["", "clip", "open_clip", "open_clip:", "timm:/x", "descriptor:x", "torch:resnet18"])
def test_says_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match=r"open_clip:ARCH\[/TAG or FILE\], timm:NAME\[/FILE\] or descriptor"):
        parse_spec(text)


@pytest.mark.parametrize(("text", "meant"), [("open_clip:vit-b32/openai", "ViT-B-32"), ("timm:resnet-18", "resnet18")])
def test_an_unknown_architecture_names_close_ones(text: str, meant: str) -> None:
    pytest.importorskip("open_clip")
    with pytest.raises(UsageError, match=f"did you mean .*{meant}") as raised:
        parse_spec(text)
    assert "\n" not in str(raised.value)


def test_nothing_is_suggested_for_nonsense() -> None:
    assert did_you_mean("qqqqqqq", ["ViT-B-32", "RN50"]) == ""


def test_importing_and_parsing_needs_no_torch() -> None:
    """Start-up time: `imagelake extract --embed open_clip:...` must fail fast on a wrong name."""
    code = (
        "import sys; from imagelake.extract.embedding import load_model, model_card, parse_spec;"
        "parse_spec('descriptor'); load_model(parse_spec('descriptor')); parse_spec('open_clip:ViT-B-32/openai');"
        "print([m for m in ('torch', 'open_clip', 'timm', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    pytest.importorskip("open_clip")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_core_install_has_the_descriptor_and_says_how_to_get_the_rest(tmp_path: Path) -> None:
    """A Python that sees numpy, Pillow and this package alone."""
    for package in (np, PIL):
        home = Path(package.__file__).parent
        for folder in (home, *home.parent.glob(f"{home.name.lower()}.libs"), *home.parent.glob("pillow.libs")):
            if not (tmp_path / folder.name).exists():
                (tmp_path / folder.name).symlink_to(folder)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(Path(imagelake.__file__).parents[1])!r}]\n"
        "from imagelake.errors import ModelUnavailable\n"
        "from imagelake.extract.embedding import model_card, parse_spec\n"
        "print(model_card(parse_spec('descriptor')).dimension)\n"
        "for text in ('open_clip:ViT-B-32/openai', 'timm:resnet18'):\n"
        "    try:\n"
        "        parse_spec(text)\n"
        "    except ModelUnavailable as error:\n"
        "        print(error.exit_code, error)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    dimension, clip, timm = done.stdout.splitlines()
    assert dimension == "512"
    for line, package_name in ((clip, "open_clip"), (timm, "timm")):
        assert line.startswith(f"5 this model needs the package {package_name}")
        assert line.endswith("pip install imagelake[embed]")


def test_names_of_weights_prefer_safetensors() -> None:
    assert safe_names("pytorch_model.bin") == ["model.safetensors", "pytorch_model.bin"]
    assert safe_names("open_clip_pytorch_model.bin")[0] == "open_clip_model.safetensors"
    assert safe_names("x.pth") == ["x.safetensors", "x.pth"]
    assert safe_names("x.npz") == ["x.npz"]


def picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


SIZES = [(64, 64), (65, 64), (97, 203), (203, 97), (300, 50), (20, 31), (1, 1), (224, 225)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter_name", ["bicubic", "bilinear", "nearest", "lanczos"])
@pytest.mark.parametrize("side", [64, 75])  # 75: a border is cut off after the resize
def test_shortest_and_squash_equal_torchvision(size: tuple[int, int], filter_name: str, side: int) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    mode = transforms.InterpolationMode(filter_name)
    image = picture(*size)
    for resize, target in (("shortest", side), ("squash", (side, side))):
        original = transforms.Compose([transforms.Resize(target, interpolation=mode), transforms.CenterCrop(64)])
        ours = Preprocess(64, resize, filter_name, MEAN, STD, resize_px=side)
        assert np.array_equal(ours(image), np.asarray(original(image)))


@pytest.mark.parametrize("size", [size for size in SIZES if size != (1, 1)])
def test_longest_equals_open_clip(size: tuple[int, int]) -> None:
    transform = pytest.importorskip("open_clip.transform")
    image = picture(*size)
    resized = transform.ResizeKeepRatio(64, longest=1)(image)
    original = transform.CenterCropOrPad(64, fill=(9, 9, 9))(resized)
    ours = Preprocess(64, "longest", "bicubic", MEAN, STD, fill=(9, 9, 9))
    assert np.array_equal(ours(image), np.asarray(original))


def test_a_crop_larger_than_the_resize_is_padded_like_torchvision() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    image = picture(40, 61)
    mode = transforms.InterpolationMode.BICUBIC
    original = transforms.Compose([transforms.Resize(31, interpolation=mode), transforms.CenterCrop(64)])
    assert np.array_equal(Preprocess(64, "shortest", "bicubic", MEAN, STD, 31)(image), np.asarray(original(image)))


def test_preprocess_refuses_other_modes_and_settings() -> None:
    ours = Preprocess(8, "shortest", "bicubic", MEAN, STD)
    with pytest.raises(ValueError, match="not L"):
        ours(Image.new("L", (9, 9)))
    with pytest.raises(ValueError, match="fit"):
        Preprocess(8, "fit", "bicubic", MEAN, STD)
    with pytest.raises(ValueError, match="cubic"):
        Preprocess(8, "squash", "cubic", MEAN, STD)


def test_specs_and_preprocessing_survive_pickling() -> None:
    ours = Preprocess(8, "shortest", "bicubic", MEAN, STD)
    copy = pickle.loads(pickle.dumps(ours))
    assert copy == ours
    assert np.array_equal(copy(picture(9, 10)), ours(picture(9, 10)))
    assert pickle.loads(pickle.dumps(parse_spec("descriptor"))) == parse_spec("descriptor")


def test_the_digest_depends_on_weights_and_on_every_part_of_the_preprocessing() -> None:
    variants = [
        Preprocess(8, "shortest", "bicubic", MEAN, STD),
        Preprocess(9, "shortest", "bicubic", MEAN, STD),
        Preprocess(8, "squash", "bicubic", MEAN, STD),
        Preprocess(8, "shortest", "bilinear", MEAN, STD),
        Preprocess(8, "shortest", "bicubic", STD, STD),
        Preprocess(8, "shortest", "bicubic", MEAN, MEAN),
        Preprocess(8, "shortest", "bicubic", MEAN, STD, resize_px=9),
        Preprocess(8, "shortest", "bicubic", MEAN, STD, fill=(1, 0, 0)),
    ]
    digests = {digest_of({"state": state}, each) for each in variants for state in ("a", "b")}
    assert len(digests) == 2 * len(variants)
    assert all(len(digest) == 12 for digest in digests)
