"""Spurious correlation: what was planted is found, and nothing where nothing was."""

from typing import Any

import numpy as np
import pytest

from imagelake.lake.lake import Lake
from tests.sql.rows import ask, image_id, label, put


def correlated(lake: Lake, labels: list[str], rng: np.random.Generator, **planted: Any) -> None:
    """Images with random properties, but for what is planted, and these labels."""
    count = len(labels)
    ids = [image_id(n) for n in range(count)]
    sides, sizes = rng.integers(400, 4000, (2, count)), rng.integers(10**4, 10**7, count)
    images = [
        {"image_id": i, "width_px": int(w), "height_px": int(h), "length_bytes": int(b),
         "format": str(rng.choice(["JPEG", "PNG"]))}
        for i, w, h, b in zip(ids, *sides, sizes, strict=True)
    ]  # fmt: skip
    put(lake, "images", images)
    brightness = planted.get("brightness", rng.random(count))
    put(
        lake,
        "quality",
        [
            {"image_id": i, "method": "imagelake", "brightness": float(b), "score": float(s), "blur": float(u),
             "is_grey": bool(u > 0.5)}
            for i, b, s, u in zip(ids, brightness, rng.random(count) * 100, rng.random(count), strict=True)
        ],
    )  # fmt: skip
    cameras = planted.get("camera", rng.choice(["5D", "40D", "X100", None], count))
    put(
        lake,
        "exif",
        [{"image_id": i, "source": "file", "model": c} for i, c in zip(ids, cameras, strict=True) if c is not None],
    )
    label(lake, "t", list(zip(ids, labels, strict=True)))


@pytest.mark.parametrize("sizes", [[60, 40], [12, 10, 10], [400, 100, 30, 20, 15, 12, 11] + [10] * 20])
def test_no_alarm_where_there_is_nothing(lake: Lake, sizes: list[int]) -> None:
    for seed in range(3):
        labels = [f"c{c}" for c, size in enumerate(sizes) for _ in range(size)]
        correlated(lake, labels, np.random.default_rng(seed))
        assert ask(lake, "spurious", task="t", min_strength=0.1) == []
        assert len(ask(lake, "spurious", task="t", min_strength=0)) > 5, "0 lists all"


def test_planted_correlations_are_found_with_what_speaks_for_them(lake: Lake) -> None:
    rng = np.random.default_rng(3)
    labels = ["cat"] * 60 + ["dog"] * 60 + ["cow"] * 4
    brightness = np.where([text == "cat" for text in labels], 0.1, 0.6) + 0.3 * rng.random(len(labels))
    cameras = [("40D" if rng.random() < 0.7 else "5D") if text == "dog" else "5D" for text in labels]
    correlated(lake, labels, rng, brightness=brightness, camera=cameras)
    found = {row["property"]: row for row in ask(lake, "spurious", task="t", min_strength=0.2)}
    assert set(found) == {"brightness", "camera"}
    assert found["brightness"]["strength"] > 0.8
    assert found["brightness"]["z"] > 8
    share = sum(c == "40D" for c in cameras) / 60
    evidence = [found["camera"][k] for k in ("label", "value", "images", "share_of_label", "share_overall")]
    assert evidence == ["dog", "40D", round(share * 60), round(share, 3), round(share / 2, 3)], "4 cows are left out"


def test_strength_is_that_of_scipy(lake: Lake) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    labels = [str(c) for c in rng.choice(["a", "b", "c"], 200)]
    cameras = [str(rng.choice(["x", "y"], p=[0.7, 0.3] if text == "a" else [0.4, 0.6])) for text in labels]
    correlated(lake, labels, rng, camera=cameras)
    [row] = [r for r in ask(lake, "spurious", task="t", min_strength=0) if r["property"] == "camera"]
    table = np.array([[sum(p == (a, b) for p in zip(labels, cameras, strict=True)) for b in "xy"] for a in "abc"])
    chi, p, freedom, _ = stats.chi2_contingency(table, correction=False)
    phi = max(0, chi / 200 - freedom / 199)
    sides = [k - (k - 1) ** 2 / 199 for k in table.shape]
    assert row["strength"] == round(float(np.sqrt(phi / (min(sides) - 1))), 3)
    assert row["z"] == pytest.approx(stats.norm.isf(p), abs=0.15)


def test_a_missing_camera_is_a_value(lake: Lake) -> None:
    rng = np.random.default_rng(6)
    labels = ["scan"] * 50 + ["photo"] * 50
    cameras = [None if text == "scan" else str(rng.choice(["5D", "40D"])) for text in labels]
    correlated(lake, labels, rng, camera=cameras)
    [row] = ask(lake, "spurious", task="t", min_strength=0.2)
    assert (row["property"], row["label"], row["value"], row["share_of_label"]) == ("camera", "scan", "unknown", 1.0)
