"""imagelake curate neighbours: the table equals all pairs in numpy; made once, and again for other vectors."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from imagelake.cli import main
from imagelake.curate import shared
from imagelake.curate import vectors as stored
from imagelake.curate.shared import make_neighbours, neighbours_are_current
from imagelake.curate.vectors import load_vectors, vector_ids
from imagelake.errors import UsageError
from imagelake.jobs import curate_neighbours
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from tests.jobs.vectors import MODEL, groups, name_of, put_vectors

ROWS = "select image_id, rank, other_id, similarity from neighbours where model_id = $m order by image_id, rank"


def run(lake: Lake, **options: object) -> RunReport:
    return curate_neighbours.run(curate_neighbours.Config(lake.root, **options), lake)


def rows(lake: Lake, model: str = MODEL) -> list[tuple[str, int, str, float]]:
    with Session(lake) as session:
        return session.execute(ROWS, {"m": model}).fetchall()


def expected(vectors: np.ndarray, k: int) -> list[tuple[str, int, str]]:
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    cosines = (cosines / lengths / lengths[:, None]).round(6)
    np.fill_diagonal(cosines, -2)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return [(name_of(i), rank, name_of(j)) for i, row in enumerate(best.tolist()) for rank, j in enumerate(row, 1)]


def is_current(lake: Lake, k: int) -> bool:
    with Session(lake) as session:
        return neighbours_are_current(session, MODEL, k)


def test_the_table_is_that_of_all_pairs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_IMAGES_PER_BATCH", 7)
    vectors = groups(12, 5)
    put_vectors(lake, vectors)
    report = run(lake, k=4)
    assert (report.read, report.written, report.already_present) == (60, 60, 0)
    assert report.details == {"model": MODEL, "search": "exact"}
    made = rows(lake)
    assert [row[:3] for row in made] == expected(vectors, 4)
    similarity = {(a, b): s for a, _, b, s in made}
    assert all(similarity.get((b, a), s) == pytest.approx(s, abs=1e-6) for (a, b), s in similarity.items())
    assert all(s == round(s, 6) > 0.9 for s in similarity.values())


def test_made_once_and_again_for_more_or_other_vectors(lake: Lake) -> None:
    vectors = groups(4, 5)
    put_vectors(lake, vectors[:12])
    run(lake, k=3)
    first = rows(lake)
    again = run(lake, k=3)
    assert (again.read, again.written, again.already_present) == (12, 0, 12)
    assert run(lake, k=2).written == 0, "three are enough for two"
    assert rows(lake) == first
    assert run(lake, k=5).written == 12
    put_vectors(lake, vectors[12:], first=12)
    assert not is_current(lake, 5)
    assert run(lake, k=5).written == 20
    assert [row[:3] for row in rows(lake)] == expected(vectors, 5)
    later = datetime.now(UTC) + timedelta(seconds=5)
    put_vectors(lake, vectors[::-1], version=2, at=later)
    assert not is_current(lake, 5), "the same images, other vectors"
    run(lake, k=5)
    assert [row[:3] for row in rows(lake)] == expected(vectors[::-1], 5)


def test_rows_of_images_that_are_gone_are_stale(lake: Lake) -> None:
    put_vectors(lake, groups(2, 4))
    run(lake, k=2)
    assert is_current(lake, 2)
    lake.delta("embeddings").delete(f"image_id = '{name_of(0)}'")
    assert not is_current(lake, 2)
    run(lake, k=2)
    assert name_of(0) not in {part for row in rows(lake) for part in (row[0], row[2])}


def test_a_forgotten_neighbour_leaves_a_gap_and_is_replaced(lake: Lake) -> None:
    put_vectors(lake, np.tri(6, 16, dtype=np.float32))  # 1 is nearest to 0, 2 to 1, ...
    run(lake, k=3)
    gone = name_of(2)
    lake.delta("embeddings").delete(f"image_id = '{gone}'")
    lake.delta("neighbours").delete(f"image_id = '{gone}' or other_id = '{gone}'")
    assert not is_current(lake, 2), "there are two of each, but not the ranks 1 and 2"
    run(lake, k=2)
    assert [row[1] for row in rows(lake)] == [1, 2] * 5


def test_models_do_not_mix(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    other = MODEL.replace("none", "other")
    put_vectors(lake, groups(3, 3))
    put_vectors(lake, groups(2, 3, d=8), model=other)
    assert main(["curate", "neighbours", "--lake", lake.root]) == 2
    assert "which of the models? give --model" in capsys.readouterr().err
    assert main(["curate", "neighbours", "--lake", lake.root, "--model", "none"]) == 2
    assert "the lake has vectors of" in capsys.readouterr().err
    assert main(["curate", "neighbours", "--lake", lake.root, "--model", "test:model/o", "-k", "2"]) == 0
    assert "6 read, 6 written" in capsys.readouterr().out
    run(lake, k=1, model=MODEL)
    assert (len(rows(lake)), len(rows(lake, other))) == (9, 12)


def test_a_single_picture_has_no_neighbours(lake: Lake) -> None:
    put_vectors(lake, groups(1, 3))
    run(lake)
    lake.delta("embeddings").delete(f"image_id <> '{name_of(1)}'")
    assert not is_current(lake, 10)
    run(lake)
    assert rows(lake) == []
    report = run(lake)
    assert (report.read, report.already_present) == (1, 1)


def test_vectors_without_direction_are_left_out_and_said(lake: Lake) -> None:
    vectors = np.concatenate([groups(2, 3), np.zeros((2, 16), np.float32)])
    put_vectors(lake, vectors)
    report = run(lake, k=10)
    assert report.read == report.written == 6
    assert report.details["left out"] == "2 pictures whose vector is all zeros"
    assert [row[:3] for row in rows(lake)] == expected(vectors[:6], 5)
    assert is_current(lake, 10)


def test_only_vectors_without_direction(lake: Lake) -> None:
    put_vectors(lake, np.zeros((2, 4), np.float32))
    with pytest.raises(UsageError, match="zeros: nothing to compare"):
        run(lake)


def test_no_vectors_and_no_k(lake: Lake) -> None:
    with pytest.raises(UsageError, match="no embeddings: run"):
        run(lake)
    with pytest.raises(UsageError, match="-k must be"):
        run(lake, k=0)


def test_vectors_of_two_dimensions_are_refused_and_nothing_is_lost(lake: Lake) -> None:
    put_vectors(lake, groups(2, 3))
    run(lake, k=2)
    before = rows(lake)
    put_vectors(lake, groups(1, 3, d=8), first=6)
    with pytest.raises(UsageError, match="have 8 and 16 numbers and do not compare: see `imagelake check`"):
        run(lake, k=2)
    assert rows(lake) == before


def test_above_the_limit_by_lists_with_its_recall(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "FLAT_ROWS", 100)
    vectors = groups(30, 8)
    put_vectors(lake, vectors)
    made = make_neighbours(lake, "run", MODEL, 3)
    assert (made.images, made.k, made.exact) == (240, 3, False)
    assert made.recall is not None
    assert made.recall > 0.9
    found = {row[:3:2] for row in rows(lake)}
    truth = {row[::2] for row in expected(vectors, 3)}
    assert len(found & truth) / len(truth) == pytest.approx(made.recall, abs=0.02)
    report = run(lake, k=3, exact=True)
    assert report.details["search"] == "exact"
    assert [row[:3] for row in rows(lake)] == expected(vectors, 3)


def test_load_vectors_in_the_order_of_the_ids(lake: Lake) -> None:
    vectors = groups(10, 3)
    order = np.random.default_rng(0).permutation(30)
    for i in order[:15]:
        put_vectors(lake, vectors[i : i + 1], first=int(i))
    with Session(lake) as session:
        ids, loaded = load_vectors(session, MODEL)
        assert ids.to_pylist() == [name_of(i) for i in sorted(order[:15].tolist())]
        wanted = vectors[np.sort(order[:15])]
        np.testing.assert_allclose(loaded, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
        some = vector_ids(session, MODEL)[3:9]
        np.testing.assert_array_equal(load_vectors(session, MODEL, some)[1], loaded[3:9])


def test_load_vectors_that_lie_together(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_ROWS", 4)
    put_vectors(lake, groups(10, 3))
    with Session(lake) as session:
        ids, loaded = load_vectors(session, MODEL)
        for part in (slice(0, 3), slice(13, 16), slice(27, 30), slice(0, 0)):
            some = load_vectors(session, MODEL, ids[part])
            assert some[0] == ids[part]
            assert some[1].tolist() == loaded[part].tolist()
