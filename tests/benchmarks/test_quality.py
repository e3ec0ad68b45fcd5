"""Quality against CleanVision on the same pictures and two CPUs, and the noise detector against 15 plain filters."""

import io
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from imagelake.extract.quality.noise import noise, noise_digikam
from imagelake.jobs import extract
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import TOY_PX, Size
from tests.benchmarks.measure import CACHE, Comparison, cpu_of, cpu_seconds, say, versions, wall_of
from tests.benchmarks.peers import peer
from tests.benchmarks.photos import photographs

FreshLakes = Callable[[Path], Callable[[], Lake]]
PX = (1024, 768)
LEAST_RATIO = 3.0
LEAST_NOISE_RATIO = 5.0
USED = ("imagelake", "opencv-python-headless", "numpy", "pillow", "duckdb")


@pytest.fixture
def folder(size: Size, tmp_path: Path) -> Path:
    """JPEGs of 1024 x 768."""
    return photographs(CACHE, 500, PX) if size.is_full else photographs(tmp_path, 6, TOY_PX)


def _extracted(lake: Lake, count: int) -> None:
    options = {"only": ("hashes", "quality"), "pixel_hash": False, "engine": "local", "workers": 2, "quiet": True}
    report = extract.run(extract.Config(lake.root, **options), lake)
    assert (report.written, report.rejected) == (count, 0)


def test_quality_and_hashes_against_cleanvision(size: Size, folder: Path, fresh_lakes: FreshLakes) -> None:
    """Two workers and two processes. Ours commits four damages, ten measures and three hashes to tables, after the
    SHA-256 of each file; the peer keeps its seven scores, the MD5 and the pHash in memory.
    """
    other = peer("cleanvision", install=size.is_full)
    count, fresh = len(list(folder.iterdir())), fresh_lakes(folder)
    lakes: list[Lake] = []
    answers: list[dict[str, Any]] = []
    cpu: list[float] = []

    def ours() -> float:
        lakes.append(fresh())
        began = cpu_seconds()
        wall = wall_of(lambda: _extracted(lakes[-1], count))
        cpu.append(cpu_seconds() - began)
        return wall

    def theirs() -> float:
        answers.append(other.run(folder, 2))
        return float(answers[-1]["wall"])

    name = "CleanVision all issues / extract hashes and quality"
    found = Comparison(name, count, "wall").rounds(size.of(1, 3), theirs, ours)
    _check_both_looked_at_all(lakes[-1], answers[-1], count)
    cpu_ratio = round(statistics.median(a["cpu"] for a in answers) / statistics.median(cpu), 3)
    used = versions(*USED) | {"cleanvision": answers[-1]["version"]}
    found.report(f">= {LEAST_RATIO}", used, cpu_ratio=cpu_ratio)
    assert not size.is_full or found.ratio >= LEAST_RATIO


def _check_both_looked_at_all(lake: Lake, answer: dict[str, Any], count: int) -> None:
    with Session(lake) as session:
        counts = ", ".join(f"count({column})" for column in ("*", "score", "entropy_bits", "phash"))
        found_rows = session.execute(f"select {counts} from quality join hashes using (image_id)").fetchall()
        assert found_rows == [(count,) * 4]
        sql = "select parse_filename(uri), brightness from quality join images using (image_id)"
        bright = dict(session.execute(sql).fetchall())
    light = dict(zip(answer["names"], answer["scores"]["light_score"], strict=True))
    assert answer["rows"] == count == len(light)
    assert bright.keys() == light.keys()


def test_noise_against_fifteen_filters(size: Size, folder: Path) -> None:
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.iterdir())[: size.of(4, 40)]]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    differences: list[float] = []

    def ours() -> float:
        return cpu_of(lambda: [noise(grey) for grey in pictures])

    def theirs() -> float:
        return cpu_of(lambda: [noise_digikam(grey) for grey in pictures])

    try:
        found = Comparison("15 filters in double precision / noise", len(pictures))
        found.rounds(size.of(1, 7), theirs, ours)
        for grey, sigma in itertools.product(pictures[: size.of(2, 20)], (0, 5, 15)):
            noisy = np.clip(grey + np.random.default_rng(sigma).normal(0, sigma, grey.shape), 0, 255).astype(np.uint8)
            differences.append(abs((noise(noisy) or 0) - (noise_digikam(noisy) or 0)))
    finally:
        cv2.setNumThreads(threads)
    assert max(differences) <= 0.01
    found.report(f">= {LEAST_NOISE_RATIO}", versions(*USED), largest_difference=round(max(differences), 5))
    assert not size.is_full or found.ratio >= LEAST_NOISE_RATIO


def _planted(folder: Path, sources: list[Path]) -> dict[str, str]:
    """Each picture once as it is, blurred, and dark, beside pictures that are uniform; name -> kind."""
    folder.mkdir()
    kinds: dict[str, str] = {}
    for i, path in enumerate(sources):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        made = {
            "clean": rgb,
            "blurred": cv2.GaussianBlur(rgb, (0, 0), 4),
            "dark": (rgb * 0.15).astype(np.uint8),
            "uniform": np.full_like(rgb, 40 + 150 * i // len(sources)),
        }
        for kind, pixels in made.items():
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=92)
            name = f"{kind}-{i:03d}.jpg"
            (folder / name).write_bytes(file.getvalue())
            kinds[name] = kind
    return kinds


def _auroc(worse: list[float], better: list[float]) -> float:
    """Chance that a damaged picture has the greater damage (ties count half)."""
    differences = np.subtract.outer(worse, better)
    return float((differences > 0).mean() + (differences == 0).mean() / 2)


def test_planted_damage_is_found(size: Size, folder: Path, tmp_path: Path, fresh_lakes: FreshLakes) -> None:
    """The area under the ROC curve of the raw scores; no thresholds. What is uniform must not count as blurred."""
    kinds = _planted(tmp_path / "planted", sorted(folder.iterdir())[: size.of(5, 60)])
    lake = fresh_lakes(tmp_path / "planted")()
    extract.run(extract.Config(lake.root, only=("quality",), engine="local", quiet=True), lake)
    with Session(lake) as session:
        sql = "select parse_filename(uri), coalesce(blur, 0), exposure from quality join images using (image_id)"
        measured = {name: {"blur": blur, "exposure": over} for name, blur, over in session.execute(sql).fetchall()}
    answer = peer("cleanvision", install=size.is_full).run(tmp_path / "planted", 2)
    scores = answer["scores"]
    theirs = {
        name: {"blur": 1 - scores["blurry_score"][i], "exposure": 1 - scores["dark_score"][i]}
        for i, name in enumerate(answer["names"])
    }
    line: dict[str, object] = {"name": "AUROC of planted damage (ours, CleanVision)"}
    for kind, against, column in (
        ("blurred", "clean", "blur"),
        ("blurred", "uniform", "blur"),
        ("dark", "clean", "exposure"),
    ):
        both = []
        for values in (measured, theirs):
            worse, better = ([values[n][column] for n, k in kinds.items() if k == which] for which in (kind, against))
            both.append(round(_auroc(worse, better), 3))
        line[f"{kind} against {against}"] = tuple(both)
        assert both[0] >= (0.9 if size.is_full else 0.75), line
    say({**line, "versions": versions(*USED) | {"cleanvision": answer["version"]}})
