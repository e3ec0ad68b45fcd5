"""Splits: groups are never separated, shares stay near, the bound of the documentation holds; names and shares."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.datasets.components import components
from imagelake.datasets.create import Plan, divided, sampled
from imagelake.datasets.names import safe_names
from imagelake.datasets.options import reference, shares
from imagelake.datasets.sample import balanced, draw
from imagelake.datasets.split import assign, grouped
from imagelake.errors import UsageError

# No deadlines: the first array of Python lists imports pandas, and the machine may be busy.
SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5).map(lambda parts: [p / sum(parts) for p in parts])


@st.composite
def graphs(draw_: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    count = draw_(st.integers(1, 80))
    seed, pairs = draw_(st.integers(0, 2**32)), draw_(st.integers(0, 120))
    rng = np.random.default_rng(seed)
    return count, rng.integers(0, count, pairs), rng.integers(0, count, pairs)


@settings(deadline=None)
@given(graphs())
def test_components_equal_a_search(graph: tuple[int, np.ndarray, np.ndarray]) -> None:
    count, left, right = graph
    neighbours: dict[int, set[int]] = {i: set() for i in range(count)}
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        neighbours[a].add(b)
        neighbours[b].add(a)
    expected = [-1] * count
    for start in range(count):
        todo = [start] if expected[start] == -1 else []
        while todo:
            node = todo.pop()
            if expected[node] == -1:
                expected[node] = start
                todo += neighbours[node]
    assert components(count, left, right).tolist() == expected


def test_components_of_a_long_chain_take_few_rounds() -> None:
    order = np.random.default_rng(0).permutation(100_000)
    assert not components(100_000, order[:-1], order[1:]).any()


@settings(deadline=None)
@given(graphs(), SHARES, st.integers(0, 3), st.integers(0, 2**32), st.booleans())
def test_no_component_is_separated_and_the_bound_holds(
    graph: tuple[int, np.ndarray, np.ndarray], parts: list[float], classes: int, seed: int, multi: bool
) -> None:
    count, left, right = graph
    rng = np.random.default_rng(seed)
    most = min(classes, 1) if not multi else classes
    low = 0 if multi else most
    labels = [
        sorted({f"c{c}" for c in rng.integers(0, max(classes, 1), rng.integers(low, most + 1))}) for _ in range(count)
    ]
    ids = sorted(f"{n:064x}" for n in range(count))
    rows = pa.table({"image_id": ids, "labels": pa.array(labels, pa.list_(pa.string()))})
    names = sorted({name for row in labels for name in row})
    roots = components(count, left, right)
    made = divided(rows, roots, names, Plan({f"s{i}": p for i, p in enumerate(parts)}, None, seed))
    splits = made["split"].to_pylist()
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        assert splits[a] == splits[b]
    assert made["group_id"].to_pylist() == [ids[r] for r in roots]
    deviation, allowed = _deviation(labels, roots, splits, names, parts)
    assert deviation <= allowed + 1e-6


def _deviation(
    labels: list[list[str]], roots: np.ndarray, splits: list[str], names: list[str], parts: list[float]
) -> tuple[float, float]:
    """J and its bound, as the docstring of the module states them."""
    total = allowed = 0.0
    for name in [*names, None]:
        has = np.array([name is None or name in row for row in labels], float)
        by_group = np.bincount(roots, has)
        weight = (has.sum() / (by_group**2).sum()) ** 2
        for i, p in enumerate(parts):
            here = has[np.array(splits) == f"s{i}"].sum()
            total += weight * (here - p * has.sum()) ** 2 / p
        allowed += weight * (len(parts) - 1) * (by_group**2).sum()
    return total, allowed


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), SHARES, st.integers(0, 2**32))
def test_without_classes_no_split_exceeds_its_share_by_a_group(sizes: list[int], parts: list[float], seed: int) -> None:
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    nothing = np.empty(0, np.int64)
    found = assign(grouped(group_of, nothing, nothing, 0), parts, np.random.default_rng(seed).permutation(len(sizes)))
    images = np.bincount(found, sizes, len(parts))
    for n, p in zip(images, parts, strict=True):
        assert n - p * sum(sizes) <= max(sizes) * (0.5 + p * (len(parts) - 2) / 2) + 1e-9


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), SHARES, st.integers(0, 2**32))
def test_single_images_come_within_two_of_every_share(counts: list[int], parts: list[float], seed: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(classes))
    found = assign(
        grouped(images, images, classes, len(counts)), parts, np.random.default_rng(seed).permutation(len(images))
    )
    for c, n in enumerate(counts):
        here = np.bincount(found[classes == c], minlength=len(parts))
        assert np.abs(here - np.array(parts) * n).max() < 2.5
    assert np.abs(np.bincount(found, minlength=len(parts)) - np.array(parts) * len(classes)).max() < 2.5


def test_classes_of_one_image_each_do_not_all_go_to_train() -> None:
    classes = np.arange(1000)
    found = assign(
        grouped(classes, classes, classes, 1000), [0.7, 0.1, 0.2], np.random.default_rng(0).permutation(1000)
    )
    assert np.abs(np.bincount(found) - [700, 100, 200]).max() <= 3


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), max_size=3, unique=True), max_size=60), st.integers(1, 6), st.integers(0, 9)
)
def test_balanced_samples(labels: list[list[int]], most: int, seed: int) -> None:
    starts = np.cumsum([0, *map(len, labels)])
    flat = np.array(list(itertools.chain(*labels)), np.int64)
    ids = [f"{i:064x}" for i in range(len(labels))]
    kept = balanced(draw(seed, ids), starts, flat, most)
    counts = np.bincount([c for row, k in zip(labels, kept, strict=True) for c in row * bool(k)], minlength=5)
    assert counts.max(initial=0) <= most
    for row, k in zip(labels, kept, strict=True):
        assert k or not row or max(counts[c] for c in row) == most, "what is left out had no room"


def test_samples_follow_the_seed_and_not_the_order() -> None:
    ids = [f"{i:064x}" for i in range(100)]
    rows = pa.table({"image_id": ids, "labels": [["a"]] * 70 + [["b"]] * 30})
    first, told = sampled(rows, ["a", "b", "c"], 40, 1)
    assert told == "40 images per class; fewer: b 30, c 0"
    back, _ = sampled(rows.take(pa.array(range(99, -1, -1))), ["a", "b", "c"], 40, 1)
    assert sorted(back["image_id"].to_pylist()) == sorted(first["image_id"].to_pylist())
    assert sampled(rows, ["a", "b", "c"], 40, 2)[0] != first


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=20))
def test_folder_names_are_safe_and_distinct(names: list[str]) -> None:
    found = safe_names(names)
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert name.strip(". ") == name
        assert name
        assert not set(name) & set('<>:"/\\|?*\0\n')
        assert len(name.encode()) < 120


def test_folder_names() -> None:
    assert safe_names(["cat", "a/b", "Cat", "con", "..", "Käse", "nul.txt", "x."]) == [
        *("cat", "a_b", "Cat-2", "_con", "_", "Käse", "_nul.txt", "x")
    ]
    assert safe_names(["Cat-2", "cat", "Cat"]) == ["Cat-2", "cat", "Cat-3"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.7/0.1/0.2", {"train": 0.7, "val": 0.1, "test": 0.2}),
        ("0.8/0.2", {"train": 0.8, "test": 0.2}),
        ("b=0.25, a=0.75", {"b": 0.25, "a": 0.75}),
        ("1", {"train": 1.0}),
    ],
)
def test_shares(text: str, found: dict[str, float]) -> None:
    assert shares(text) == found
    assert list(shares(text)) == list(found)


@pytest.mark.parametrize(
    "text", ["0.7/0.2", "0.5/0.5/0", "1/0/0", "a=1,a=0", "x", "", "nan/1", "a b=1", "=1", "1/1/1/1"]
)
def test_wrong_shares(text: str) -> None:
    with pytest.raises(UsageError):
        shares(text)


def test_references() -> None:
    assert reference("a-b.c@12") == ("a-b.c", 12)
    assert reference("a") == ("a", None)
    for wrong in ("", "a@", "a@0", "a@x", "a/b", "@1", "a@1@2", "-a"):
        with pytest.raises(UsageError):
            reference(wrong)
