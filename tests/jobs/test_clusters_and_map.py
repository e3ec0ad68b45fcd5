"""imagelake curate clusters and map: planted groups are found and stay together, the same seed gives the same."""

import itertools

import numpy as np
import pytest

from imagelake.cli import main
from imagelake.curate.clusters import clusters_of, usual_number
from imagelake.curate.projection import project
from imagelake.jobs import curate_clusters, curate_map
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from tests.jobs.vectors import MODEL, groups, name_of, put_vectors


def cluster(lake: Lake, **options: object) -> RunReport:
    return curate_clusters.run(curate_clusters.Config(lake.root, **options), lake)


def draw(lake: Lake, **options: object) -> RunReport:
    return curate_map.run(curate_map.Config(lake.root, **options), lake)


def rows(lake: Lake, table: str, columns: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        sql = f"select image_id, {columns} from {table} where model_id = $m order by image_id"
        return session.execute(sql, {"m": MODEL}).fetchall()


def directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def unequal() -> np.ndarray:
    """Groups of 12, 4 and 9."""
    return np.concatenate([groups(1, n, seed) for seed, n in enumerate((12, 4, 9))])


def test_clusters_are_the_planted_groups_by_size(lake: Lake) -> None:
    put_vectors(lake, unequal())
    report = cluster(lake, clusters=3)
    assert (report.read, report.written) == (25, 25)
    assert report.details == {"model": MODEL, "clusters": 3, "largest": 12, "smallest": 4}
    made = rows(lake, "clusters", "cluster, similarity")
    assert [row[1] for row in made] == [0] * 12 + [2] * 4 + [1] * 9
    centre = directions(directions(unequal()[:12]).mean(axis=0, keepdims=True))
    expected = directions(unequal()[:12]) @ centre.ravel()
    np.testing.assert_allclose([row[2] for row in made[:12]], expected, atol=1e-4)
    cluster(lake, clusters=1)
    assert {row[1] for row in rows(lake, "clusters", "cluster")} == {0}, "replaced, not added to"


def test_the_same_seed_gives_the_same() -> None:
    vectors = directions(np.random.default_rng(0).normal(size=(60, 16))).astype(np.float32)
    first, again, other = (clusters_of(vectors, 9, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()
    sizes = np.bincount(first[0])
    assert (np.diff(sizes) <= 0).all()
    for method in ("tsne", "pca"):
        np.testing.assert_array_equal(*(project(vectors, method, 1)[0] for _ in range(2)))


def test_equal_vectors_make_fewer_clusters_not_wrong_ones() -> None:
    vectors = np.repeat(np.eye(2, 8, dtype=np.float32), [3, 5], axis=0)
    numbers, cosines = clusters_of(vectors, 4, 0)
    assert set(numbers[:3]).isdisjoint(numbers[3:])
    assert sorted(set(numbers.tolist())) == list(range(max(numbers) + 1))
    assert cosines.tolist() == [1] * 8


@pytest.mark.parametrize(("images", "clusters"), [(1, 1), (2, 1), (200, 10), (10**7, 1000)])
def test_usual_number(images: int, clusters: int) -> None:
    assert usual_number(images) == clusters


@pytest.mark.parametrize("wrong", [0, 26])
def test_impossible_numbers_of_clusters(lake: Lake, capsys: pytest.CaptureFixture[str], wrong: int) -> None:
    put_vectors(lake, unequal())
    assert main(["curate", "clusters", "--lake", lake.root, "--clusters", str(wrong)]) == 2
    assert "--clusters must be 1 to 25" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_groups_stay_together_on_the_map(lake: Lake, method: str) -> None:
    put_vectors(lake, groups(4, 10, d=32))
    report = draw(lake, method=method)
    assert report.read == report.written == 40
    made = rows(lake, "projections", "method, x, y")
    assert {row[1] for row in made} == {method}
    places = np.array([row[2:] for row in made])
    assert np.abs(places).max() == pytest.approx(1)
    middles = places.reshape(4, 10, 2).mean(axis=1)
    within = np.linalg.norm(places.reshape(4, 10, 2) - middles[:, None], axis=2).max()
    between = min(np.linalg.norm(a - b) for a, b in itertools.combinations(middles, 2))
    assert within < between


def test_a_sample_that_is_said_and_comes_again(lake: Lake) -> None:
    put_vectors(lake, groups(5, 8))
    report = draw(lake, max_points=15, method="pca")
    assert report.written == 15
    assert report.details["sample"] == "15 of 40 pictures; the others are not on the map (--max-points)"
    first = rows(lake, "projections", "x, y")
    draw(lake, max_points=15, method="pca")
    assert rows(lake, "projections", "x, y") == first
    draw(lake, max_points=15, method="pca", seed=1)
    assert [row[0] for row in rows(lake, "projections", "x")] != [row[0] for row in first]
    with pytest.raises(Exception, match="--max-points must be"):
        draw(lake, max_points=0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_few_pictures(lake: Lake, count: int) -> None:
    put_vectors(lake, np.concatenate([groups(1, count), np.zeros((1, 16), np.float32)]))
    for report in (cluster(lake), draw(lake)):
        assert report.written == count
        assert report.details["left out"] == "1 pictures whose vector is all zeros"
    method = "pca" if count < 5 else "tsne"
    assert rows(lake, "projections", "method") == [(name_of(i), method) for i in range(count)]


def test_equal_pictures_lie_on_one_place(lake: Lake) -> None:
    put_vectors(lake, np.ones((8, 16), np.float32))
    cluster(lake)
    draw(lake)
    assert [row[1:] for row in rows(lake, "projections", "method, x, y")] == [("pca", 0, 0)] * 8


@pytest.mark.parametrize("job", ["clusters", "map", "label-issues"])
@pytest.mark.parametrize("seed", ["-1", "2147483648", "99999999999"])
def test_impossible_seeds(lake: Lake, capsys: pytest.CaptureFixture[str], job: str, seed: str) -> None:
    put_vectors(lake, groups(3, 3))
    assert main(["curate", job, "--lake", lake.root, "--seed", seed]) == 2
    assert f"--seed {seed}: give a number from 0 to 2^31 - 1" in capsys.readouterr().err


def test_the_largest_seed(lake: Lake) -> None:
    put_vectors(lake, groups(3, 3))
    assert cluster(lake, seed=2**31 - 1).written == draw(lake, seed=2**31 - 1).written == 9
