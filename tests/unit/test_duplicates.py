"""The hash layer against brute force in all orientations; groups without chains; thresholds from planted copies."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imagelake.curate.duplicates.calibrate import Described, thresholds
from imagelake.curate.duplicates.groups import group_members
from imagelake.curate.duplicates.hashes import (
    CHECK_BITS,
    INVERSE,
    Hashes,
    bits_apart,
    has_information,
    least_bits,
    pairs_alike,
    turned,
)
from imagelake.curate.duplicates.pictures import Indices, Layer, Near, items_of, nothing_near
from imagelake.curate.duplicates.transforms import MILD, TRANSFORMS, planted
from imagelake.curate.duplicates.vectors import default_similarity
from imagelake.extract.embedding import load_model, parse_spec
from imagelake.extract.hashes import dihedral_variants, dihedral_variants_dhash, hamming, perceptual_hashes
from imagelake.image.decode import open_picture
from tests.conftest import picture
from tests.jobs.dedupe_lakes import flipped, random_hashes

SEEDS = st.integers(0, 2**32)


def families(seed: int, count: int, bits: int) -> Hashes:
    """Hashes of a few pictures, of their relatives some bits away, and of turned relatives; each row once."""
    rng = np.random.default_rng(seed)
    originals = random_hashes(rng, max(1, count // 4))
    turns = rng.integers(1, 9, 3).tolist()
    rows = [originals, *(flipped(rng, turned(originals, k), bits) for k in turns)]
    return np.unique(np.concatenate(rows), axis=0)


def by_hand(a: NDArray[np.uint64], b: NDArray[np.uint64], max_bits: int) -> tuple[int, int, int] | None:
    """The rule of the docs in plain Python, with the extractor's own variants: bits, dHash bits, orientation."""
    (pa, ha, va), (pb, hb, vb) = a.tolist(), b.tolist()
    phashes, dhashes = dihedral_variants(pa), dihedral_variants_dhash(ha, va)
    ways = []
    for k, (phash, (across, down)) in enumerate(zip(phashes, dhashes, strict=True), 1):
        bits, checked = hamming(phash, pb), hamming(across, hb) + hamming(down, vb)
        if bits <= max_bits and checked <= CHECK_BITS:
            ways.append((bits, checked, k))
    return min(ways, default=None)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 8), st.integers(0, 12))
def test_every_pair_in_every_orientation_is_found(seed: int, bits: int, max_bits: int) -> None:
    hashes = families(seed, 24, bits)
    i, j, found, orientation = pairs_alike(hashes, max_bits)
    got = {
        (a, b): (n, k) for a, b, n, k in zip(i.tolist(), j.tolist(), found.tolist(), orientation.tolist(), strict=True)
    }
    expected = {}
    for a, b in itertools.combinations(range(len(hashes)), 2):
        way = by_hand(hashes[a], hashes[b], max_bits)
        if way is not None:
            expected[a, b] = (way[0], way[2])
    assert got == expected
    assert len(got) == len(i), "each pair once"


@given(SEEDS, st.integers(1, 8))
def test_turns_are_those_of_the_extractor_and_can_be_undone(seed: int, k: int) -> None:
    hashes = random_hashes(np.random.default_rng(seed), 3)
    mask = (1 << 64) - 1
    for row, turn in zip(hashes.tolist(), turned(hashes, k).tolist(), strict=True):
        expected = [dihedral_variants(row[0])[k - 1], *dihedral_variants_dhash(row[1], row[2])[k - 1]]
        assert turn == [value & mask for value in expected]
    assert (turned(turned(hashes, k), int(INVERSE[k])) == hashes).all()


@given(SEEDS)
def test_least_bits_is_the_first_d_at_which_the_rule_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = random_hashes(rng, 5)
    second = flipped(rng, turned(first, int(rng.integers(1, 9))), int(rng.integers(1, 9)))
    least = least_bits(first, second)
    for n, d in enumerate(least.tolist()):
        row = slice(n, n + 1)
        if d == 64:
            assert bits_apart(first[row], second[row], 64)[1] == 0
            continue
        assert bits_apart(first[row], second[row], d)[1] > 0
        assert d == 0 or bits_apart(first[row], second[row], d - 1)[1] == 0


@pytest.mark.parametrize(("phash", "dhash", "tells"), [(0, 0, False), (0b1111, 2**64 - 1, False), (0xFFF, 0, False)])
def test_flat_pictures_and_ramps_say_nothing(phash: int, dhash: int, tells: bool) -> None:
    hashes = np.array([[phash, dhash, 0]], np.uint64)
    assert has_information(hashes).tolist() == [tells]
    assert has_information(np.array([[0xFFF, 1, 0]], np.uint64)).tolist() == [True]


def layer(alike: NDArray[np.bool_], item: Indices | None = None) -> Layer:
    """A layer that says what a symmetric matrix says, between items."""
    count = len(alike)
    item = np.arange(count) if item is None else item
    items = np.unique(item[item >= 0])
    first, second = (items[n] for n in np.nonzero(np.triu(alike[np.ix_(items, items)], 1)))

    def compare(a: Indices, b: Indices) -> NDArray[np.float64]:
        same = (item[a] >= 0) & (item[b] >= 0) & (alike[item[a], item[b]] | (item[a] == item[b]))
        return np.where(same, 1.0, np.inf)

    return Layer("phash", "phash", 8.0, item, Near(first, second, np.ones(len(first))), compare)


def random_layer(rng: np.random.Generator, count: int) -> Layer:
    alike = rng.random((count, count)) < rng.choice([0.02, 0.1, 0.4])
    representatives = rng.integers(0, count, count)
    item = np.full(count, -1)
    for group in range(count):
        members = np.flatnonzero(representatives == group)
        item[members] = members.min() if len(members) else -1
    item[rng.random(count) < 0.2] = -1
    for group in np.unique(item[item >= 0]):  # the best picture of an item may be among those that dropped out
        members = np.flatnonzero(item == group)
        item[members] = members.min()
    return layer(alike | alike.T, item)


def peeled(layers: list[Layer], count: int) -> dict[int, int]:
    """Member -> keeper as the module's docstring says it: components, verified, what is left over connected anew."""
    everyone = np.arange(count)
    alike = np.zeros((count, count), np.bool_)
    for each in layers:
        for a in range(count):
            alike[a] |= np.isfinite(each.compare(np.full(count, a), everyone))
    left, keepers = set(range(count)), {}
    while left:
        start = min(left)
        component, frontier = {start}, [start]
        while frontier:
            new = {b for b in left - component if alike[frontier[-1], b]}
            frontier.pop()
            component |= new
            frontier += sorted(new)
        keeper = min(component)
        members = {b for b in component - {keeper} if alike[keeper, b]}
        keepers |= dict.fromkeys(members, keeper)
        left -= members | {keeper}
    return keepers


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 25), st.integers(1, 3))
def test_groups_are_components_whose_members_are_verified(seed: int, count: int, layers: int) -> None:
    rng = np.random.default_rng(seed)
    made = [random_layer(rng, count) for _ in range(layers)]
    members = group_members(made, count)
    assert dict(zip(members.member.tolist(), members.keeper.tolist(), strict=True)) == peeled(made, count)
    assert (members.keeper < members.member).all(), "a keeper is better than its members"
    assert not set(members.keeper.tolist()) & set(members.member.tolist())
    for number, each in enumerate(made):
        mine = members.layer == number
        assert np.isfinite(each.compare(members.member[mine], members.keeper[mine])).all()
        for earlier in made[:number]:
            assert np.isinf(earlier.compare(members.member[mine], members.keeper[mine])).all(), "the first layer"


def test_a_chain_does_not_become_one_group() -> None:
    count = 9
    alike = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) <= 1
    members = group_members([layer(alike)], count)
    assert dict(zip(members.member.tolist(), members.keeper.tolist(), strict=True)) == {1: 0, 3: 2, 5: 4, 7: 6}


def test_no_layers_or_pictures_make_no_groups() -> None:
    assert group_members([], 0).groups == 0
    nothing = replace(layer(np.zeros((0, 0), np.bool_)), near=nothing_near())
    assert group_members([nothing], 0).groups == 0


def test_items_are_named_by_their_best_picture() -> None:
    item, items = items_of(np.array([1, 3, 4, 6]), np.array([[7], [5], [7], [5]], np.uint64), 8)
    assert item.tolist() == [-1, 1, -1, 3, 1, -1, 3, -1]
    assert items.tolist() == [1, 3]


def described(count: int, transform: str | None = None) -> Described:
    model = load_model(parse_spec("descriptor"))
    files = [planted(picture(seed, 320, 240), transform or "half_size") for seed in range(count)]
    pictures = [open_picture(data, min_side_px=256) for data in files]
    hashes = np.array([perceptual_hashes(p.small) for p in pictures], np.int64).view(np.uint64)
    vectors = model.embed(np.stack([model.preprocess(p.rgb) for p in pictures]))
    return Described(hashes, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_thresholds_let_mild_copies_through_and_keep_strangers_out() -> None:
    lake, copies = described(12), {name: described(12, name) for name in TRANSFORMS}
    found = thresholds(lake, np.arange(12), copies)
    assert found.copies == 12
    for name in MILD:
        assert found.either[name] >= 11, name
    assert found.phash.found["mirror"] == 12
    assert found.phash.value < found.phash.stranger
    assert found.embedding.stranger < found.embedding.value <= 1
    products = lake.vectors @ lake.vectors.T
    assert products[np.triu_indices(12, 1)].max() < found.embedding.value
    assert not pairs_alike(lake.hashes, int(found.phash.value))[0].size


def test_a_stranger_near_by_makes_the_threshold_stricter() -> None:
    lake, copies = described(12), {name: described(12, name) for name in TRANSFORMS}
    before = thresholds(lake, np.arange(12), copies)
    close = lake.vectors.copy()
    close[1] = close[0] * 0.999 + close[1] * 0.02
    close[1] /= np.linalg.norm(close[1])
    after = thresholds(Described(lake.hashes, close), np.arange(12), copies)
    assert before.embedding.value < close[0] @ close[1] < after.embedding.value


def test_defaults_by_kind_of_model() -> None:
    assert default_similarity("descriptor:classical/v1@abc") > default_similarity("open_clip:ViT-B-32/openai@abc")
    assert default_similarity("timm:x/y@abc") == default_similarity("open_clip:ViT-B-32/openai@abc")


def test_planted_copies_keep_the_size_that_they_should() -> None:
    rgb = picture(0, 200, 100)
    sizes = {name: open_picture(planted(rgb, name)).rgb.size for name in TRANSFORMS}
    assert sizes["half_size"] == (100, 50)
    assert sizes["crop_10"] == (180, 90)
    assert sizes["rotate_90"] == (100, 200)
    assert {sizes[name] for name in ("jpeg_q40", "brighter", "darker", "text", "mirror", "rotate_5")} == {(200, 100)}
