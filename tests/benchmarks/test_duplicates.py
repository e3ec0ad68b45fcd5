"""How well dedupe finds copies, by transform, among photographs and other shots of the same scenes.

Every photograph gives six overlapping windows that are shifted by more than a quarter of their width, each with noise
of its own: other shots of one scene, which are no duplicates. Each window is one original with one copy by transform.
Figures are of groups, pairwise and B-cubed (Bagga and Baldwin 1998); docs/duplicates.md has them as a table.
"""

import importlib.util
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagelake.curate.duplicates.transforms import TRANSFORMS, planted
from imagelake.jobs import dedupe, extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import say
from tests.benchmarks.peers import peer

SCENES = {
    "skimage": (
        *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png"),
        *(
            "coins.png",
            "grass.png",
            "gravel.png",
            "hubble_deep_field.jpg",
            "ihc.png",
            "moon.png",
            "motorcycle_left.png",
        ),
        *("page.png", "retina.jpg", "rocket.jpg", "text.png"),
    ),
    "sklearn": ("china.jpg", "flower.jpg"),
}
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
WINDOWS = ((0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.4, 0.4), (0.16, 0.0), (0.2, 0.2))
SHARE = 0.6  # of each side that a window shows
NOISE = 4.0
LAYERS = {"phash": ("phash",), "embedding": ("embedding",), "all": ("pixels", "phash", "embedding")}
LOSSLESS = "lossless"  # the pixels of the original in another file

Groups = dict[str, str]


def windows(count: int, each: int) -> Iterable[tuple[str, Image.Image]]:
    """Name and picture of every original."""
    rng = np.random.default_rng(0)
    paths = [
        Path((importlib.util.find_spec(package) or pytest.fail(package)).submodule_search_locations[0])  # type: ignore[index]
        / FOLDERS[package]
        / name
        for package, names in SCENES.items()
        for name in names
    ]
    for path in paths[:: len(paths) // count]:
        with Image.open(path) as photo:
            rgb = photo.convert("RGB")
        width, height = (round(side * SHARE) for side in rgb.size)
        for number, (x, y) in enumerate(WINDOWS[:each]):
            left, top = round(rgb.width * x), round(rgb.height * y)
            pixels = np.asarray(rgb.crop((left, top, left + width, top + height)), np.float64)
            noisy = np.clip(pixels + rng.normal(0, NOISE, pixels.shape), 0, 255).astype(np.uint8)
            yield f"{path.stem}{number}", Image.fromarray(noisy)


@pytest.fixture
def pictures(size: Size, tmp_path: Path) -> Path:
    """A folder with one folder per transform, and `original`; equal names are copies of each other."""
    names = [*TRANSFORMS] if size.is_full else ["jpeg_q40", "mirror"]
    for folder in ("original", LOSSLESS, *names):
        (tmp_path / "pictures" / folder).mkdir(parents=True)
    for name, rgb in windows(size.of(4, 20), size.of(3, 6)):
        folder = tmp_path / "pictures"
        original = folder / "original" / f"{name}.jpg"
        rgb.save(original, quality=92)
        with Image.open(original) as decoded:
            decoded.save(folder / LOSSLESS / f"{name}.png")
        for transform in names:
            (folder / transform / f"{name}.jpg").write_bytes(planted(rgb, transform))
    return tmp_path / "pictures"


def described(root: Path, folders: Sequence[Path]) -> Lake:
    """A lake with the pictures of these folders."""
    lake = create_lake(str(root))
    quiet = {"engine": "local", "quiet": True}
    ingest.run(ingest.Config(tuple(map(str, folders)), lake.root, in_place=True, **quiet), lake)
    extract.run(extract.Config(lake.root, only=("hashes", "exif"), embed=("descriptor",), **quiet), lake)
    return lake


def grouped(lake: Lake, layers: Sequence[str]) -> Groups:
    """File -> name of its group, for every picture of the lake."""
    dedupe.run(dedupe.Config(lake.root, layers=tuple(layers)), lake)
    sql = """
      select s.origin, coalesce(g.group_id, s.image_id)
      from sightings as s left join groups as g on s.image_id = g.image_id
    """
    with Session(lake) as session:
        return dict(session.execute(sql).fetchall())


def scores(groups: Groups) -> dict[str, float]:
    """Pairwise precision, recall and F1, and B-cubed F1; pictures of one name are duplicates in truth."""
    members, truth = defaultdict(set), defaultdict(set)
    for file, group in groups.items():
        members[group].add(file)
        truth[Path(file).stem].add(file)
    said = {pair for group in members.values() for pair in itertools.combinations(sorted(group), 2)}
    return scores_of(said, truth) | {"b3": b_cubed(groups, members, truth)}


def scores_of(said: set[tuple[str, str]], truth: dict[str, set[str]]) -> dict[str, float]:
    true = {pair for group in truth.values() for pair in itertools.combinations(sorted(group), 2)}
    precision = len(said & true) / len(said) if said else 1.0
    recall = len(said & true) / len(true)
    return {"p": precision, "r": recall, "f1": _f1(precision, recall)}


def b_cubed(groups: Groups, members: dict[str, set[str]], truth: dict[str, set[str]]) -> float:
    shared = {file: len(members[group] & truth[Path(file).stem]) for file, group in groups.items()}
    precision = np.mean([shared[file] / len(members[group]) for file, group in groups.items()])
    recall = np.mean([shared[file] / len(truth[Path(file).stem]) for file in groups])
    return _f1(float(precision), float(recall))


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def connected(files: Sequence[str], pairs: Iterable[tuple[str, str]]) -> Groups:
    """What a user of a program that gives pairs makes of them: connected components."""
    group = {file: file for file in files}
    for a, b in pairs:
        old, new = sorted((group[a], group[b]))[::-1]
        group |= {file: new for file, name in group.items() if name == old}
    return group


def by_imagededup(hashes: dict[str, str], max_bits: int = 10) -> Groups:
    """Its rule for PHash: at most 10 differing bits."""
    files = sorted(hashes)
    values = np.array([int(hashes[file], 16) for file in files], np.uint64)
    near = np.bitwise_count(values[:, None] ^ values) <= max_bits
    return connected(files, ((files[i], files[j]) for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True)))


def by_cleanvision(answer: dict[str, Any], files: Sequence[str]) -> Groups:
    sets = [*answer["exact_duplicates"], *answer["near_duplicates"]]
    return connected(files, (pair for group in sets for pair in itertools.pairwise(group)))


@pytest.fixture
def flat(pictures: Path, tmp_path: Path) -> Path:
    """All pictures in one folder, as the peers take them: `<name>.<transform>.<suffix>`."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for path in pictures.rglob("*.*"):
        (folder / f"{path.stem}.{path.parent.name}{path.suffix}").hardlink_to(path)
    return folder


def renamed(groups: Groups) -> Groups:
    """Files by the names of `pictures` again, whose stem is the name of the original."""
    return {"/".join(reversed(file.split(".")[:2])): group for file, group in groups.items()}


def cells(found: dict[str, float]) -> str:
    return " / ".join(f"{found[key]:.2f}" for key in ("p", "r", "f1", "b3"))


def test_copies_are_found_and_other_shots_are_not(size: Size, pictures: Path, tmp_path: Path) -> None:
    transforms = sorted(folder.name for folder in pictures.iterdir() if folder.name != "original")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for transform in [LOSSLESS, *(name for name in TRANSFORMS if name in transforms), "everything"]:
        folders = [pictures] if transform == "everything" else [pictures / "original", pictures / transform]
        lake = described(tmp_path / transform, folders)
        found[transform] = {name: scores(grouped(lake, layers)) for name, layers in LAYERS.items()}
        say({"name": f"duplicates, {transform}", **{name: cells(values) for name, values in found[transform].items()}})
    for transform, layers in found.items():
        assert layers["phash"]["p"] >= 0.99, transform
        # The same caption over dark pictures is most of what there is to see in them.
        assert layers["all"]["p"] >= (0.85 if transform == "text" else 0.99), transform
        assert layers["all"]["r"] >= layers["phash"]["r"] - 0.02, transform
    assert found[LOSSLESS]["all"]["r"] == 1.0
    for transform, least in (("jpeg_q40", 0.98), ("mirror", 0.9), ("half_size", 0.98), ("rotate_90", 0.9)):
        if transform in found:
            assert found[transform]["all"]["r"] >= least, transform


def test_peers_on_the_same_pictures(size: Size, flat: Path, pictures: Path) -> None:
    files = sorted(path.name for path in flat.iterdir())
    hashes = peer("imagededup", install=size.is_full).run(flat, "PHash")["hashes"]
    sets = peer("cleanvision", install=size.is_full).run(flat)
    equal = by_cleanvision(sets, files)
    for transform in [LOSSLESS, *TRANSFORMS, "everything"]:
        if (pictures / transform).exists() or transform == "everything":
            wanted = {"original", transform} if transform != "everything" else {LOSSLESS, "original", *TRANSFORMS}
            part = {file: code for file, code in hashes.items() if file.split(".")[1] in wanted}
            near = by_imagededup(part)  # without the other copies, which would connect more
            groups = {"imagededup pHash d=10": near, "CleanVision": {file: equal[file] for file in part}}
            line = {name: cells(scores(renamed(found))) for name, found in groups.items()}
            say({"name": f"duplicates, {transform}", **line})
    assert set(equal) == set(hashes) == set(files)
