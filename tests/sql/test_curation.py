"""Outliers and imbalance in SQL; what every statement of curation says of itself."""

import re

import duckdb
import numpy as np
import pytest

from imagelake.errors import QueryError
from imagelake.lake.lake import Lake
from imagelake.lake.session import sql_files
from tests.sql.rows import ask, label, put, put_images, rows

# Outliers


def neighbours(ids: list[str], vectors: np.ndarray, k: int, model: str = "m") -> list[dict[str, object]]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    return [
        {"model_id": model, "image_id": ids[i], "rank": r + 1, "other_id": ids[j], "similarity": float(cosines[i, j])}
        for i in range(len(ids))
        for r, j in enumerate(np.argsort(-cosines[i])[:k])
    ]


def test_outliers_are_those_far_from_their_neighbours(lake: Lake) -> None:
    ids = put_images(lake, range(60))
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 16)) * 0.1 + np.eye(16)[0]
    vectors[7], vectors[8] = np.eye(16)[3], np.eye(16)[3]  # two odd ones that are alike
    vectors[9] = -np.eye(16)[5]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = neighbours(ids, vectors, 5)
    put(lake, "neighbours", table)
    found = ask(lake, "outliers", model="", share=0.05)
    assert {row["image_id"] for row in found} == {ids[7], ids[8], ids[9]}
    assert found[0]["image_id"] == ids[9]
    assert found[0]["origin"] == "photos/9.jpg"
    assert all(row["robust_z"] < -3.5 for row in found)
    means = {i: float(np.mean([r["similarity"] for r in table if r["image_id"] == i])) for i in ids}
    middle = np.median(list(means.values()))
    deviation = np.median(np.abs(np.array(list(means.values())) - middle))
    for image, mean, z, percentile in rows(
        lake, "select image_id, mean_similarity, robust_z, percentile from outliers"
    ):
        assert mean == pytest.approx(means[image])
        assert z == pytest.approx(0.6745 * (means[image] - middle) / deviation)
        assert percentile == sum(m < means[image] - 1e-12 for m in means.values()) / 60


def test_outliers_of_one_model_and_of_none(lake: Lake) -> None:
    ids = put_images(lake, range(4))
    vectors = np.array([[1, 0], [0.9, 0.1], [0.8, 0.3], [0, 1]])
    put(lake, "neighbours", neighbours(ids, vectors, 2, "clip:a") + neighbours(ids, vectors, 2, "dino"))
    assert {row["model_id"] for row in ask(lake, "outliers", model="clip", share=1)} == {"clip:a"}
    with pytest.raises(QueryError, match="no neighbours of a model x: run curate neighbours"):
        ask(lake, "outliers", model="x", share=1)


def test_where_all_are_equally_alone_none_is_odd(lake: Lake) -> None:
    ids = put_images(lake, range(4))
    put(lake, "neighbours", neighbours(ids[:2], np.full((2, 2), 0.5), 1))
    assert rows(lake, "select percentile, robust_z from outliers") == [(0, None)] * 2
    assert ask(lake, "outliers", model="", share=0.05) == []
    assert rows(lake, sql_files("reports")["gallery_outliers"]) == []
    vectors = np.eye(4)[[0, 0, 0, 1]]
    put(lake, "neighbours", neighbours(ids, vectors, 1))
    (odd,) = ask(lake, "outliers", model="", share=0.05)
    assert (odd["image_id"], odd["robust_z"]) == (ids[3], None), "more than half are equal, and it is not"
    assert len(rows(lake, sql_files("reports")["gallery_outliers"])) == 2


def test_an_only_image_has_no_neighbours_to_compute(lake: Lake) -> None:
    ids = put_images(lake, range(2))
    with pytest.raises(QueryError, match="no neighbours: run curate neighbours"):
        ask(lake, "outliers", model="", share=1)
    vectors = [{"image_id": i, "model_id": "m:x@1", "vector": [1.0], "norm": 1.0} for i in ids]
    put(lake, "embeddings", vectors[:1])
    assert ask(lake, "outliers", model="", share=1) == ask(lake, "outliers", model="m", share=1) == []
    put(lake, "embeddings", vectors)
    with pytest.raises(QueryError, match="no neighbours of a model m: run"):
        ask(lake, "outliers", model="m", share=1)


# Imbalance


def test_imbalance(lake: Lake) -> None:
    ids = put_images(lake, range(16))
    label(lake, "animal", [(i, "cat") for i in ids[:8]] + [(i, "dog") for i in ids[8:12]] + [(ids[12], "cow")])
    found = ask(lake, "imbalance", task="animal")
    assert [(r["label"], r["images"], r["ratio_to_largest"]) for r in found] == [
        ("cat", 8, 1.0),
        ("dog", 4, 0.5),
        ("cow", 1, 0.125),
    ]
    assert [r["share"] for r in found] == [0.6154, 0.3077, 0.0769]
    shares = np.array([8, 4, 1]) / 13
    assert found[0]["effective_classes"] == round(float(np.exp(-(shares * np.log(shares)).sum())), 2)
    with pytest.raises(QueryError, match="no labels of a task bird"):
        ask(lake, "imbalance", task="bird")


def test_equal_classes_are_as_many_as_there_are(lake: Lake) -> None:
    ids = put_images(lake, range(12))
    label(lake, "t", [(image, "abcd"[n % 4]) for n, image in enumerate(ids)])
    assert {r["effective_classes"] for r in ask(lake, "imbalance", task="t")} == {4.0}


# All of them


@pytest.mark.parametrize("name", sorted(sql_files("curation")))
def test_every_statement_says_what_it_is(name: str) -> None:
    text = sql_files("curation")[name]
    (statement,) = duckdb.extract_statements(text)
    header = [line for line in text.splitlines() if line.startswith("-- ")]
    assert header[0].startswith("-- title: ")
    assert header[1].startswith("-- grain: ")
    told = re.findall(
        r"\$(\w+)", " ".join(line.partition(":")[0] for line in header if line.startswith("-- parameter "))
    )
    assert set(told) == set(statement.named_parameters)
