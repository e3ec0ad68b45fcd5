"""imagelake dedupe: all pairs as by brute force, keepers by rule, the same again, nothing deleted, clear words."""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagelake.cli import main
from imagelake.curate.duplicates.hashes import INVERSE, bits_apart
from imagelake.curate.duplicates.transforms import planted
from imagelake.errors import UsageError
from imagelake.jobs import dedupe, extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.conftest import picture
from tests.jobs.dedupe_lakes import (
    MODEL,
    NOW,
    OTHER_MODEL,
    flipped,
    image_id,
    random_hashes,
    write,
    write_hashes,
    write_images,
    write_vectors,
)

BRIEF = {"layers": ("pixels", "phash")}


def found(lake: Lake, **options: Any) -> dict[str, object]:
    return dedupe.run(dedupe.Config(lake.root, **options), lake).details


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def keepers(lake: Lake) -> dict[int, int]:
    """Member -> keeper, as numbers of made images."""
    return {int(m, 16): int(k, 16) for m, k in rows(lake, "select image_id, keeper_id from quarantine")}


def state(lake: Lake) -> list[list[tuple[Any, ...]]]:
    """Everything that dedupe writes, without run and time."""
    names = ("pairs", "groups", "quarantine")
    return [rows(lake, f"select * exclude (run_id, found_at) from {name} order by all") for name in names]


@pytest.mark.parametrize("max_bits", [0, 4, 10])
def test_pairs_by_hash_are_those_of_brute_force(lake: Lake, max_bits: int) -> None:
    rng = np.random.default_rng(max_bits)
    originals = random_hashes(rng, 30)
    hashes = np.concatenate([originals, flipped(rng, originals, 2), flipped(rng, originals, 5), originals[:5]])
    write_images(lake, len(hashes))
    write_hashes(lake, hashes)
    found(lake, layers=("phash",), max_bits=max_bits)
    got = rows(lake, "select image_id, other_id, distance, orientation, similarity, threshold from pairs")
    distinct = {tuple(row): n for n, row in reversed(list(enumerate(hashes.tolist())))}
    best = [distinct[tuple(row)] for row in hashes.tolist()]
    expected = {(b, n): (0.0, 1) for n, b in enumerate(best) if b != n}
    for a, b in itertools.combinations(sorted(set(best)), 2):
        bits, k = bits_apart(hashes[[a]], hashes[[b]], max_bits)
        if k[0]:
            expected[a, b] = (float(bits[0]), int(k[0]))
    assert {(int(a, 16), int(b, 16)): (d, k) for a, b, d, k, _, _ in got} == expected
    assert all(s == 1 - d / 64 and t == max_bits for _, _, d, _, s, t in got)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), least=st.sampled_from([0.6, 0.9, 0.99]))
def test_pairs_by_embedding_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, seed: int, least: float
) -> None:
    rng = np.random.default_rng(seed)
    # Three crowds of 20, so that all of the ten stored neighbours of many pictures are above the threshold.
    centres = rng.normal(size=(3, 16)).repeat(20, axis=0)
    vectors = np.concatenate([centres + 0.2 * rng.normal(size=centres.shape), rng.normal(size=(10, 16))])
    vectors = vectors.astype(np.float32)
    vectors[60], vectors[61] = 3 * vectors[0], 0  # the same direction; none at all
    vectors[62] = vectors[1]  # the same vector
    lake = create_lake(str(tmp_path_factory.mktemp("lake") / "lake"))
    write_images(lake, len(vectors))
    write_vectors(lake, vectors)
    found(lake, layers=("embedding",), min_similarity=least)
    got = {(int(a, 16), int(b, 16)): d for a, b, d in rows(lake, "select image_id, other_id, distance from pairs")}
    lengths = np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, 1e-9)
    cosines = units @ units.T
    for a, b in itertools.combinations([n for n in range(len(vectors)) if n not in (61, 62)], 2):
        if abs(cosines[a, b] - least) > 1e-5:
            assert ((a, b) in got) == (cosines[a, b] > least), (a, b, cosines[a, b])
            assert (a, b) not in got or got[a, b] == pytest.approx(1 - cosines[a, b], abs=2e-6)
    assert got[1, 62] == 0
    assert not any(61 in pair for pair in got)
    members = rows(lake, "select image_id, keeper_id, distance from quarantine")
    for member, keeper, distance in members:
        assert cosines[int(member, 16), int(keeper, 16)] == pytest.approx(1 - distance, abs=2e-6)
        assert distance <= 1 - least + 1e-9


def test_a_mirrored_copy_says_how_it_is_turned(tmp_path: Path) -> None:
    lake = made_of(tmp_path, {"one.png": picture(1, 200, 150), "two.png": picture(1, 200, 150).rotate(90, expand=True)})
    found(lake, **BRIEF)
    ((first, other, orientation),) = rows(lake, "select image_id, other_id, orientation from pairs")
    origin = dict(rows(lake, "select image_id, parse_filename(origin) from sightings"))
    assert {origin[first], origin[other]} == {"one.png", "two.png"}
    # turned counter-clockwise is what orientation 8 asks for
    assert orientation == (8 if origin[first] == "one.png" else int(INVERSE[8]))


def made_of(tmp_path: Path, pictures: dict[str, Image.Image | bytes]) -> Lake:
    """A lake with these files, described."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, image in pictures.items():
        if isinstance(image, bytes):
            (folder / name).write_bytes(image)
        else:
            image.save(folder / name)
    lake = create_lake(str(tmp_path / "lake"))
    ingest.run(ingest.Config((str(folder),), lake.root, engine="local", quiet=True), lake)
    only = ("hashes", "exif")
    extract.run(extract.Config(lake.root, only=only, embed=("descriptor",), engine="local", quiet=True), lake)
    return lake


def test_real_pictures_find_their_copies_and_nothing_else(tmp_path: Path) -> None:
    files: dict[str, Image.Image | bytes] = {f"{n}.png": picture(n, 320, 240) for n in range(6)}
    files |= {f"0-{name}.jpg": planted(picture(0, 320, 240), name) for name in ("jpeg_q40", "half_size", "mirror")}
    files |= {"1.bmp": picture(1, 320, 240), "flat.png": Image.new("RGB", (64, 48), "red")}
    files |= {"flat-too.png": Image.new("RGB", (640, 480), "white")}
    lake = made_of(tmp_path, files)
    report = found(lake)
    assert report["groups"] == 2
    got = rows(
        lake, "select parse_filename(origin), parse_filename(keeper_origin), via, size from quarantine order by 1"
    )
    names = {name: keeper for name, keeper, _, _ in got}
    assert set(names) in (
        {"0-half_size.jpg", *others, *pixels}
        for others in itertools.combinations(("0-jpeg_q40.jpg", "0-mirror.jpg", "0.png"), 2)
        for pixels in (("1.png",), ("1.bmp",))
    ), "half the size is never the one to keep"
    assert [(via, size) for name, _, via, size in got if name[0] == "1"] == [("pixels", 2)]
    assert all(size == 4 for name, _, _, size in got if name[0] == "0")
    assert rows(lake, "select count(*) from images") == [(12,)], "nothing is deleted"


def test_a_second_run_gives_the_same_and_another_choice_replaces_it(lake: Lake) -> None:
    rng = np.random.default_rng(0)
    originals = random_hashes(rng, 40)
    write_images(lake, 80)
    write_hashes(
        lake, np.concatenate([originals, flipped(rng, originals, 3)]), [*range(40), *range(20), *range(60, 80)]
    )
    found(lake, **BRIEF)
    first = state(lake)
    assert all(first)
    found(lake, **BRIEF)
    assert state(lake) == first
    found(lake, layers=("pixels",))
    assert {via for (via,) in rows(lake, "select distinct via from quarantine")} == {"pixels"}
    assert rows(lake, "select count(*) from groups where relation = 'duplicates'") == [(40,)]
    run = rows(lake, "select read, written, rejected from latest_runs where job = 'dedupe' limit 1")
    assert run == [(80, 80, 0)]


def test_new_pictures_join_and_what_is_gone_leaves(lake: Lake) -> None:
    rng = np.random.default_rng(1)
    one = random_hashes(rng, 1)
    write_images(lake, 1)
    write_hashes(lake, one)
    assert found(lake, **BRIEF)["groups"] == 0
    write_images(lake, 2)
    write_hashes(lake, np.concatenate([one, one]))
    assert found(lake, **BRIEF)["groups"] == 1
    write_hashes(lake, random_hashes(rng, 2))
    assert found(lake, **BRIEF)["groups"] == 0
    assert rows(lake, "select count(*) from groups union all select count(*) from pairs") == [(0,), (0,)]


def three_alike(lake: Lake) -> None:
    """Picture 0 has the best score, 1 the most pixels, 2 the earliest capture, all the same hashes."""
    write_images(lake, 3, [(40, 30), (80, 60), (40, 30)])
    write_hashes(lake, random_hashes(np.random.default_rng(2), 1).repeat(3, axis=0))
    ids = [image_id(n) for n in range(3)]
    write(lake, "quality", {"image_id": ids[:2], "method": ["imagelake"] * 2, "score": [90.0, 20.0]})
    times = [None, None, NOW]
    write(lake, "exif", {"image_id": ids, "source": ["file"] * 3, "captured_at": times, "tags": [[]] * 3})


@pytest.mark.parametrize(
    ("keep", "keeper"),
    [
        (("resolution", "quality", "earliest"), 1),
        (("quality", "resolution"), 0),
        (("earliest",), 2),
        (("earliest", "quality"), 2),
        ((), 0),
    ],
)
def test_the_keeper_is_chosen_by_the_rules_in_their_order(lake: Lake, keep: tuple[str, ...], keeper: int) -> None:
    three_alike(lake)
    found(lake, **BRIEF, keep=keep)
    assert keepers(lake) == dict.fromkeys({0, 1, 2} - {keeper}, keeper)


def test_what_the_rules_leave_open_is_settled_by_the_id_and_nothing_known_comes_last(lake: Lake) -> None:
    three_alike(lake)
    write_images(lake, 3)
    write(lake, "quality", {"image_id": [image_id(2)], "method": ["imagelake"], "score": [0.0]})
    found(lake, **BRIEF, keep=("resolution", "quality"))
    assert keepers(lake) == {0: 2, 1: 2}
    write(lake, "quality", {"image_id": [image_id(2)], "method": ["digikam"], "score": [0.0]})
    found(lake, **BRIEF, keep=("resolution", "quality"))
    assert keepers(lake) == {1: 0, 2: 0}


def test_equal_digests_of_other_shapes_are_not_equal_pixels(lake: Lake) -> None:
    write_images(lake, 3, [(40, 30), (30, 40), (30, 40)])
    write_hashes(lake, random_hashes(np.random.default_rng(3), 3), [7, 7, 7])
    found(lake, **BRIEF)
    assert keepers(lake) == {2: 1}


def test_pictures_without_detail_are_no_duplicates_of_each_other(lake: Lake) -> None:
    write_images(lake, 4)
    write_hashes(lake, np.array([[0, 0, 0], [0, 0, 0], [0xF, 2**64 - 1, 0], [0xF, 2**64 - 1, 0]], np.uint64))
    found(lake, **BRIEF)
    assert rows(lake, "select count(*) from pairs") == [(0,)]


def test_ten_thousand_copies_are_a_star(lake: Lake) -> None:
    count = 10_000
    write_images(lake, count)
    write_hashes(lake, random_hashes(np.random.default_rng(4), 1).repeat(count, axis=0), [1] * count)
    report = found(lake, **BRIEF)
    assert report["pairs by pixels"] == report["pairs by phash"] == report["in quarantine"] == count - 1
    assert rows(lake, "select distinct keeper_id, size, via from quarantine") == [(image_id(0), count, "pixels")]


def test_hashes_of_an_older_definition_are_not_compared(lake: Lake) -> None:
    write_images(lake, 3)
    hashes = random_hashes(np.random.default_rng(5), 1).repeat(3, axis=0).view(np.int64)
    names = ("phash", "dhash", "dhash_vertical")
    columns = {name: hashes[:, n] for n, name in enumerate(names)}
    write(lake, "hashes", {"image_id": [image_id(n) for n in range(3)], **columns, "version": [21, 11, 20]})
    assert found(lake, layers=("phash",))["not compared by phash"] == 1
    assert keepers(lake) == {2: 0}, "21 has a pixel_hash and 20 has none: one definition"


def test_pictures_described_with_and_without_pixel_hash_are_compared(tmp_path: Path) -> None:
    lake = made_of(tmp_path, {"one.png": picture(1, 320, 240)})
    (tmp_path / "photos" / "half.jpg").write_bytes(planted(picture(1, 320, 240), "half_size"))
    ingest.run(ingest.Config((str(tmp_path / "photos"),), lake.root, engine="local", quiet=True), lake)
    options = {"only": ("hashes",), "pixel_hash": False, "engine": "local", "quiet": True}
    extract.run(extract.Config(lake.root, embed=("descriptor",), **options), lake)
    report = found(lake, **BRIEF)
    assert (report["pairs by phash"], report["not compared by pixels"]) == (1, 1)
    assert "not compared by phash" not in report
    assert dedupe.run(dedupe.Config(lake.root, calibrate=True), lake).read == 2


def test_equal_vectors_are_alike_at_a_cosine_of_one(lake: Lake) -> None:
    vectors = np.abs(np.random.default_rng(8).normal(size=(20, 2048))).astype(np.float32)
    vectors[:, 0] = 3_000  # what is added to it is lost in single precision
    write_images(lake, 40)
    write_vectors(lake, np.concatenate([vectors, vectors]))
    found(lake, layers=("embedding",), min_similarity=1)
    members = rows(lake, "select image_id, distance from quarantine")
    assert len(members) >= 20
    assert {distance for _, distance in members} == {0}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--layers pixels,phash"),
        ({"layers": ("pixels",)}, "extract --only hashes"),
        ({"layers": ("pixels",)}, "leave them out: --layers phash,embedding"),
        ({"layers": ("phash",)}, "extract --only hashes"),
        ({"layers": ("embedding",)}, "extract --embed descriptor"),
        ({"calibrate": True}, "extract --embed descriptor"),
        ({"calibrate": True, "sample": -3}, "--sample -3: two"),
        ({"calibrate": True, "sample": 1}, "--sample 1: two"),
        ({"layers": ("looks",)}, "choose from pixels,phash,embedding"),
        ({"layers": ()}, "give --layers"),
        ({**BRIEF, "keep": ("age",)}, "choose from resolution,bytes,quality,earliest"),
        ({**BRIEF, "max_bits": 17}, "0 to 16"),
        ({**BRIEF, "max_bits": -1}, "0 to 16"),
        ({"min_similarity": 1.5}, "a cosine"),
    ],
)
def test_what_is_missing_or_wrong_is_said(lake: Lake, options: dict[str, Any], said: str) -> None:
    write_images(lake, 2)
    with pytest.raises(UsageError, match=said):
        found(lake, **options)


def test_several_models_must_be_told_apart(lake: Lake) -> None:
    write_images(lake, 2)
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(2, 4)).astype(np.float32)
    write_vectors(lake, vectors)
    with pytest.raises(UsageError, match="the lake has vectors of"):
        found(lake, layers=("embedding",), model="clip")
    ids, models = [image_id(0), image_id(1)] * 2, [MODEL] * 2 + [OTHER_MODEL] * 2
    every = {"image_id": ids, "model_id": models, "vector": [*vectors.tolist()] * 2, "norm": [1.0] * 4}
    write(lake, "embeddings", every)
    with pytest.raises(UsageError, match="give --model"):
        found(lake, layers=("embedding",))
    assert "other" in str(found(lake, layers=("embedding",), model="timm:toy/other")["cosine"])


def test_an_empty_lake_has_no_duplicates(lake: Lake) -> None:
    assert found(lake, **BRIEF)["groups"] == 0


def test_calibration_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = made_of(tmp_path, {f"{n}.png": picture(n, 320, 240) for n in range(8)})
    assert main(["dedupe", "--lake", lake.root, "--calibrate", "--sample", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["written"]) == (5, 5)
    assert report["details"]["found of mirror"].startswith("phash 1.00, ")
    newest = dict(rows(lake, "select relation, any_value(threshold) from calibrations group by all"))
    assert rows(lake, "select count(*), min(copies), bool_and(found <= copies) from calibrations") == [(20, 5, True)]
    used = found(lake)
    assert used["bits"] == f"at most {newest['phash']:.0f} of 64 (calibrated)"
    assert f"at least {newest['embedding']:g} (calibrated)" in str(used["cosine"])
    assert "(given)" in str(found(lake, min_similarity=0.9)["cosine"])
    write(lake, "calibrations", {"run_id": []})
    assert "(default)" in str(found(lake)["cosine"])


def test_calibration_without_readable_pictures_says_so(lake: Lake) -> None:
    write_images(lake, 3)
    write_hashes(lake, random_hashes(np.random.default_rng(7), 3))
    write_vectors(lake, np.eye(3, 512, dtype=np.float32), "descriptor:classical/v1@b5b04469b48d")
    with pytest.raises(UsageError, match="nothing to calibrate on"):
        found(lake, calibrate=True)


def test_a_picture_that_was_lost_is_left_out_of_the_sample(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(4):
        file = io.BytesIO()
        picture(n, 320, 240).save(file, "PNG")
        (folder / f"{n}.png").write_bytes(file.getvalue())
    lake = create_lake(str(tmp_path / "lake"))
    ingest.run(ingest.Config((str(folder),), lake.root, in_place=True, engine="local", quiet=True), lake)
    extract.run(extract.Config(lake.root, only=("hashes",), embed=("descriptor",), engine="local", quiet=True), lake)
    (folder / "0.png").unlink()
    (folder / "1.png").write_bytes(b"no picture" * 9_000)
    assert dedupe.run(dedupe.Config(lake.root, calibrate=True), lake).read == 2
