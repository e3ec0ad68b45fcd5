"""Quality of digiKam's own test pictures: the values of an independent port, and what its unit tests expect."""

from itertools import pairwise
from pathlib import Path

import pytest

from imagelake.extract.quality.assess import quality
from imagelake.image.decode import open_picture

# blur, noise, compression, exposure, score, verdict; by an independent port of the original
EXPECTED: dict[str, tuple[float, float, float, float, float, str]] = {
    "original": (0.6838, 0.0605, 0.3047, 0.1806, 69.3, "accepted"),
    "blurred_1": (0.7021, 0.069, 0.368, 0.177, 67.1, "accepted"),
    "blurred_5": (0.8787, 0.072, 0.733, 0.157, 54.0, "pending"),
    "blurred_9": (0.9950, 0.072, 0.829, 0.142, 8.9, "rejected"),
    "underexposed_1": (0.998, 0.071, 0.852, 1.000, 2.7, "rejected"),
    "underexposed_5": (0.745, 0.069, 0.512, 0.569, 52.6, "pending"),
    "underexposed_9": (0.692, 0.063, 0.339, 0.213, 67.3, "accepted"),
}


def measured(corpus: Path, name: str, method: str) -> dict[str, object]:
    data = (corpus / "quality" / f"{name}.jpg").read_bytes()
    picture = open_picture(data, full=method == "digikam", longest_px=1024)
    return quality(picture, method)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXPECTED)
def test_values_of_the_original(corpus: Path, name: str) -> None:
    found, expected = measured(corpus, name, "digikam"), EXPECTED[name]
    damages = [found[column] for column in ("blur", "noise", "compression", "exposure")]
    assert damages == pytest.approx(list(expected[:4]), abs=0.02)
    assert found["score"] == pytest.approx(expected[4], abs=1)
    assert found["verdict"] == expected[5]


@pytest.mark.parametrize("method", ["imagelake", "digikam"])
def test_scores_follow_the_distortion(corpus: Path, method: str) -> None:
    blurred = [measured(corpus, name, method) for name in ("original", *(f"blurred_{n}" for n in (1, 3, 5, 7, 9)))]
    dark = [measured(corpus, name, method) for name in (*(f"underexposed_{n}" for n in (1, 3, 5, 7, 9)), "original")]
    assert all(a["blur"] < b["blur"] and a["score"] > b["score"] for a, b in pairwise(blurred))  # type: ignore[operator]
    assert all(a["exposure"] > b["exposure"] and a["score"] < b["score"] for a, b in pairwise(dark))  # type: ignore[operator]
    assert (blurred[0]["verdict"], blurred[-1]["verdict"]) == ("accepted", "rejected")
    assert (dark[0]["verdict"], dark[2]["verdict"] != "rejected") == ("rejected", True)
