"""Leaks between splits: what was planted is found, and nothing where nothing was."""

import itertools
from datetime import timedelta

import numpy as np
import pytest

from imagelake.cli import main
from imagelake.errors import QueryError
from imagelake.lake.lake import Lake
from imagelake.lake.session import sql_files
from tests.sql.rows import NOW, ask, image_id, label, put, put_images, rows

NEAR = {"min_similarity": 0.95, "seconds": 2}


def dataset(lake: Lake, splits: dict[str, list[object]], name: str = "d", version: int = 1) -> None:
    every = [(image_id(n), split) for split, names in splits.items() for n in names]
    put(
        lake,
        "datasets",
        [
            {"dataset": name, "dataset_version": version, "statement": "", "parameters": {}, "table_versions": {},
             "splits": {}, "group_by": [], "seed": 0, "classes": [], "images": len(every)}
        ],
    )  # fmt: skip
    put(
        lake,
        "dataset_images",
        [
            {"dataset": name, "dataset_version": version, "image_id": image, "labels": [], "group_id": image,
             **({"fold": int(split)} if split.isdecimal() else {"split": split})}
            for image, split in every
        ],
    )  # fmt: skip


def leaks(lake: Lake, **more: object) -> set[tuple[str, str, str]]:
    found = ask(lake, "leaks", **{"dataset": "d", "version": 0, **NEAR, **more})
    return {(row["reason"], row["image_id"], row["other_id"]) for row in found}


def both(reason: str, a: object, b: object) -> set[tuple[str, str, str]]:
    return {(reason, image_id(a), image_id(b)), (reason, image_id(b), image_id(a))}


@pytest.fixture
def split(lake: Lake) -> Lake:
    """A data set of ten: 0 to 5 in train, 6 and 7 in val, 8 and 9 in test; nothing ties them."""
    put_images(lake, range(10))
    dataset(lake, {"train": [0, 1, 2, 3, 4, 5], "val": [6, 7], "test": [8, 9]})
    return lake


def test_nothing_leaks_where_nothing_is_shared(split: Lake) -> None:
    assert leaks(split) == set()


def test_a_group_in_two_splits(split: Lake) -> None:
    group = [0, 1, 6, 9]
    put(
        split,
        "groups",
        [
            {"relation": "duplicates", "image_id": image_id(n), "group_id": image_id(0), "size": 4,
             "role": "keeper" if n == 0 else "member"}
            for n in group
        ],
    )  # fmt: skip
    found = {row["image_id"]: row for row in ask(split, "leaks", dataset="d", version=1, **NEAR)}
    assert set(found) == {image_id(n) for n in group}
    assert found[image_id(0)]["others"] == 2, "6 and 9 are elsewhere, 1 is beside it"
    assert found[image_id(9)]["others"] == 3
    assert all(row["split"] != row["other_split"] for row in found.values())
    assert found[image_id(9)]["origin"] == "photos/9.jpg"


def test_a_pair_and_a_neighbour(split: Lake) -> None:
    a, b = sorted((image_id(2), image_id(8)))
    put(
        split,
        "pairs",
        [{"relation": "phash", "model_id": "phash", "image_id": a, "other_id": b, "distance": 3, "similarity": 0.95}],
    )
    put(
        split,
        "neighbours",
        [
            {"model_id": "m", "image_id": image_id(3), "rank": 1, "other_id": image_id(7), "similarity": 0.96},
            {"model_id": "m", "image_id": image_id(4), "rank": 1, "other_id": image_id(5), "similarity": 0.99},
            {"model_id": "m", "image_id": image_id(5), "rank": 1, "other_id": image_id(9), "similarity": 0.94},
        ],
    )
    assert leaks(split) == both("pair", 2, 8) | both("neighbour", 3, 7), "4 and 5 are in one split, 5 and 9 too unlike"
    assert leaks(split, min_similarity=0.9) == leaks(split) | both("neighbour", 5, 9)


def test_equal_pixels(split: Lake) -> None:
    shared = {"phash": 0, "dhash": 0, "dhash_vertical": 0}
    put(
        split,
        "hashes",
        [{"image_id": image_id(n), "pixel_hash": ("e" if n in (1, 7) else str(n)) * 128, **shared} for n in range(10)],
    )
    assert leaks(split) == both("same pixels", 1, 7)
    assert rows(split, "select pixel_hash, images, width_px, mode from duplicates") == [("e" * 128, 2, 800, "RGB")]


def test_equal_digests_of_other_shapes_are_not_equal_pixels(split: Lake) -> None:
    shapes = [(800, 600, "RGB")] * 8 + [(600, 800, "RGB"), (800, 600, "L")]
    sizes = [{"width_px": width, "height_px": height, "mode": mode} for width, height, mode in shapes]
    put(split, "images", [{"image_id": image_id(n), **size} for n, size in enumerate(sizes)])
    shared = {"pixel_hash": "e" * 128, "phash": 0, "dhash": 0, "dhash_vertical": 0}
    put(split, "hashes", [{"image_id": image_id(n), **shared} for n in (5, 8, 9)])
    assert leaks(split) == set()
    assert rows(split, "select * from duplicates") == []
    put(split, "hashes", [{"image_id": image_id(n), **shared} for n in (5, 7, 8, 9)])
    assert leaks(split) == both("same pixels", 5, 7)
    reports = sql_files("reports")
    assert rows(split, reports["duplicates_by_kind"])[1][1:] == (1, 1)
    assert [row[1:5] for row in rows(split, reports["duplicate_groups"])] == [(800, 600, "RGB", 2)]


def test_an_owner_whether_of_a_record_or_in_exif(split: Lake) -> None:
    put(
        split,
        "records",
        [
            {"provider": "flickr", "source_id": str(n), "creator": who, "media_url": f"photos/{n}.jpg", "raw": "{}"}
            for n, who in ((0, "Ada"), (7, "Ada"), (1, "Unknown"), (6, "Unknown"), (5, ""), (8, ""))
        ],
    )
    put(
        split,
        "exif",
        [
            {"image_id": image_id(n), "source": "file", "artist": who}
            for n, who in ((8, "Bob"), (9, "Ada"), (2, ""), (3, "Bob"))
        ],
    )
    assert leaks(split) == both("same owner", 0, 7) | both("same owner", 3, 8), "the Ada of EXIF may be another"


def test_an_individual(split: Lake) -> None:
    label(split, "individual", [(image_id(0), "Rex"), (image_id(1), "Rex"), (image_id(2), "Tom"), (image_id(6), "Tom")])
    assert leaks(split) == both("same individual", 2, 6)


def test_a_burst(split: Lake) -> None:
    def shot(n: int, seconds: float, model: str = "5D") -> dict[str, object]:
        at = NOW + timedelta(seconds=seconds)
        return {"image_id": image_id(n), "source": "file", "make": "Canon", "model": model, "captured_at": at}

    # 0 1 6 within two seconds; 9 five seconds later; 8 at the same time by another camera
    put(split, "exif", [shot(0, 0), shot(1, 1), shot(6, 2), shot(9, 7), shot(8, 2, "40D"), shot(2, 500), shot(3, 501)])
    found = leaks(split)
    assert found == {("burst", image_id(0), image_id(6))} | both("burst", 1, 6)
    assert leaks(split, seconds=5) == found | {("burst", image_id(9), image_id(6))}


@pytest.mark.parametrize("seed", range(3))
def test_bursts_equal_brute_force(lake: Lake, seed: int) -> None:
    rng = np.random.default_rng(seed)
    put_images(lake, range(40))
    splits = rng.choice(["train", "val", "test"], 40)
    dataset(lake, {s: [n for n in range(40) if splits[n] == s] for s in ("train", "val", "test")})
    times, cameras = rng.integers(0, 60, 40), rng.choice(["a", "b"], 40)
    put(
        lake,
        "exif",
        [
            {"image_id": image_id(n), "source": "file", "model": str(cameras[n]),
             "captured_at": NOW + timedelta(seconds=int(times[n]))}
            for n in range(40)
        ],
    )  # fmt: skip
    gaps: dict[str, int] = {}
    for a, b in itertools.permutations(range(40), 2):
        if splits[a] != splits[b] and cameras[a] == cameras[b]:
            gaps[image_id(a)] = min(gaps.get(image_id(a), 99), abs(int(times[a]) - int(times[b])))
    found = rows(lake, "select image_id, seconds from leaks where reason = 'burst'")
    assert dict(found) == gaps
    assert len(found) == len(gaps) > 30


def test_folds_leak_as_splits_do(lake: Lake) -> None:
    put_images(lake, range(4))
    dataset(lake, {"0": [0, 1], "1": [2, 3]})
    label(lake, "individual", [(image_id(0), "Rex"), (image_id(1), "Rex"), (image_id(3), "Rex")])
    found = ask(lake, "leaks", dataset="d", version=0, **NEAR)
    assert {(r["image_id"], r["split"]) for r in found} == {
        (image_id(0), "fold 0"),
        (image_id(1), "fold 0"),
        (image_id(3), "fold 1"),
    }


def test_leaks_of_a_data_set_that_is_not_there(split: Lake) -> None:
    with pytest.raises(QueryError, match="no data set birds of that version"):
        ask(split, "leaks", dataset="birds", version=0, **NEAR)
    with pytest.raises(QueryError, match="no data set d of that version"):
        ask(split, "leaks", dataset="d", version=2, **NEAR)
    with pytest.raises(QueryError, match="no labels of a task split"):
        ask(split, "split_leaks", task="split", **NEAR)


def test_a_split_by_vote_leaks(lake: Lake) -> None:
    """As a published aesthetics set was split: by row of votes, 30 of each image, not by image."""
    rng = np.random.default_rng(4)
    ids = put_images(lake, range(50))
    votes = [
        (image, "test" if rng.random() < 0.2 else "train") for image in ids for _ in range(30)
    ]  # one row of votes each
    label(lake, "split", votes)
    truth = {i for i in ids if {(i, "train"), (i, "test")} <= set(votes)}
    assert len(truth) > 45
    found = ask(lake, "split_leaks", task="split", **NEAR)
    assert {row["image_id"] for row in found if row["reason"] == "same image"} == truth
    assert {row["reason"] for row in found} == {"same image"}
    test = {i for i, s in votes if s == "test"}
    assert {row["image_id"] for row in found if row["split"] == "test"} == test & truth


def test_a_split_by_image_does_not_leak_until_a_duplicate_is_planted(lake: Lake) -> None:
    ids = put_images(lake, range(50))
    label(lake, "split", [(image, "test" if n % 5 == 0 else "train") for n, image in enumerate(ids)])
    assert ask(lake, "split_leaks", task="split", **NEAR) == []
    planted = [(0, 1), (5, 6), (10, 11)]
    put(
        lake,
        "pairs",
        [
            {"relation": "embedding", "model_id": "m", "image_id": min(ids[a], ids[b]), "other_id": max(ids[a], ids[b]),
             "distance": 0.02, "similarity": 0.98}
            for a, b in [*planted, (2, 3)]
        ],
    )  # fmt: skip
    found = ask(lake, "split_leaks", task="split", **NEAR)
    assert {(r["image_id"], r["other_id"]) for r in found} == {
        (ids[a], ids[b]) for p in planted for a, b in (p, p[::-1])
    }


def test_a_split_given_twice_by_one_annotator_counts_though_it_was_replaced(lake: Lake) -> None:
    ids = put_images(lake, range(3))
    put(
        lake,
        "labels",
        [
            {"image_id": ids[0], "task": "split", "label": text, "annotator": "lists", "source": "import",
             "labelled_at": NOW + timedelta(days=day)}
            for day, text in enumerate(("train", "test"))
        ],
    )  # fmt: skip
    assert rows(lake, "select count(*) from current_labels") == [(1,)]
    assert len(ask(lake, "split_leaks", task="split", **NEAR)) == 2


def test_by_name_on_the_command_line(split: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    label(split, "individual", [(image_id(2), "Tom"), (image_id(6), "Tom")])
    parameters = [x for k, v in {"dataset": "d", "version": 0, **NEAR}.items() for x in ("--param", f"{k}={v}")]
    command = ["sql", "--lake", split.root, "--file", "curation/leaks", *parameters, "--format", "csv"]
    assert main(command) == 0
    assert capsys.readouterr().out.count("same individual") == 2
