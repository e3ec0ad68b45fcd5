"""Joins of hashes and vectors: the time of ours alone, against imagededup and fastdup, and the memory of a million.

Vectors are made up: directions with a spectrum that falls off as those of networks do, in groups or not. fastdup's
search is approximate by default, and how good and how fast it is depends on the vectors; its recall is printed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imagelake.curate.hamming import hamming_pairs
from imagelake.curate.knn import nearest_to_all
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, Comparison, cpu_of, cpu_seconds, say, versions, wait_for_quiet
from tests.benchmarks.peers import Peer, peer
from tests.jobs.vectors import MODEL, put_vectors

ROOT = Path(__file__).parents[2]
DISTANCE = 10
DIMENSIONS = 512
K = 10


def hashes_with_copies(count: int) -> np.ndarray:
    """Even hashes; one of twenty is another with up to 8 bits flipped."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    copies = hashes[: count // 20].copy()
    for _ in range(8):
        copies ^= np.uint64(1) << rng.integers(0, 64, len(copies), dtype=np.uint64)
    hashes[-len(copies) :] = copies
    distinct = np.unique(hashes)
    rng.shuffle(distinct)
    return distinct


def all_pairs(hashes: np.ndarray) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for i in range(0, len(hashes), 500):
        near = np.bitwise_count(hashes[i : i + 500, None] ^ hashes) <= DISTANCE
        rows, columns = np.nonzero(near)
        found |= {(int(a) + i, int(b)) for a, b in zip(rows, columns, strict=True) if a + i < b}
    return found


@pytest.mark.parametrize(("count", "limit_s"), [(100_000, 3.0), (1_000_000, 120.0)])
def test_hamming(size: Size, count: int, limit_s: float) -> None:
    hashes = hashes_with_copies(size.of(2_000, count))
    load = wait_for_quiet() if size.is_full else os.getloadavg()[0]
    cpu, wall = cpu_seconds(), time.perf_counter()
    i, _, bits = hamming_pairs(hashes, DISTANCE)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    assert len(i) >= size.of(2_000, count) // 21
    assert bits.max() <= DISTANCE
    line = {"name": f"Hamming <= {DISTANCE} over {len(hashes):,}", "wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}
    say({**line, "limit": f"< {limit_s:.0f} s", "pairs": len(i), "load": load, "versions": versions("numpy")})
    assert not size.is_full or wall < limit_s


def test_hamming_against_imagededup(size: Size, tmp_path: Path) -> None:
    other = Peer("imagededup_search", peer("imagededup", install=size.is_full).python)
    hashes = hashes_with_copies(size.of(1_500, 20_000))
    np.save(tmp_path / "hashes.npy", hashes)
    answers = []

    def theirs() -> float:
        answers.append(other.run(tmp_path / "hashes.npy", DISTANCE, tmp_path / "pairs.npy"))
        return float(answers[-1]["cpu"])

    found = Comparison(f"imagededup / Hamming <= {DISTANCE} over {len(hashes):,}", len(hashes))
    found.rounds(size.of(1, 3), theirs, lambda: cpu_of(lambda: hamming_pairs(hashes, DISTANCE)))
    i, j, _ = hamming_pairs(hashes, DISTANCE)
    ours = set(zip(i.tolist(), j.tolist(), strict=True))
    assert ours == all_pairs(hashes)
    assert ours == set(map(tuple, np.load(tmp_path / "pairs.npy").tolist()))
    found.report(">= 100", versions("numpy") | {"imagededup": answers[-1]["version"]}, wall_s=answers[-1]["wall"])
    assert not size.is_full or found.ratio >= 100


def spectrum() -> np.ndarray:
    """Standard deviations along the axes."""
    deviations: np.ndarray = (np.arange(1, DIMENSIONS + 1) ** -0.25).astype(np.float32)
    return deviations


def grouped(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Vectors around one centre per hundred of them, in parts."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(count // 100, 1), DIMENSIONS)).astype(np.float32) * spectrum()
    for start in range(0, count, 20_000):
        rows = min(20_000, count - start)
        noise = rng.standard_normal((rows, DIMENSIONS), dtype=np.float32) * spectrum()
        yield centres[rng.integers(0, len(centres), rows)] + 0.7 * noise


def alone(count: int) -> np.ndarray:
    """Vectors without groups."""
    vectors = np.random.default_rng(0).standard_normal((count, DIMENSIONS), dtype=np.float32) * spectrum()
    return directions(vectors)


def directions(vectors: np.ndarray) -> np.ndarray:
    divided: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return divided


def brute_force(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosine of the k-th neighbour of each row, from all pairs, and the sum over its k."""
    floors, sums = [], []
    for start in range(0, len(vectors), 1000):
        cosines = vectors[start : start + 1000] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -2
        best = np.partition(cosines, -K, axis=1)[:, -K:]
        floors.append(best.min(axis=1))
        sums.append(best.sum(axis=1))
    return np.concatenate(floors), np.concatenate(sums)


def recall(rows: np.ndarray, cosines: np.ndarray, floors: np.ndarray) -> float:
    """The share of the k true neighbours of all rows."""
    return float((cosines >= floors[rows] - 2e-6).sum() / (len(floors) * K))


@pytest.mark.parametrize("kind", ["alone", "grouped"])
def test_neighbours_against_fastdup(size: Size, tmp_path: Path, kind: str) -> None:
    other = peer("fastdup", install=size.is_full)
    count = size.of(600, 20_000)
    vectors = alone(count) if kind == "alone" else directions(np.concatenate(list(grouped(count))))
    np.save(tmp_path / "vectors.npy", vectors)
    answers = []

    def theirs() -> float:
        answers.append(other.run(tmp_path / "vectors.npy", K, tmp_path / "found.npy"))
        return float(answers[-1]["cpu"])

    found = Comparison(f"fastdup / {K} neighbours of {count:,} x {DIMENSIONS}, {kind}", count)
    found.rounds(size.of(1, 3), theirs, lambda: cpu_of(lambda: nearest_to_all(vectors, K)))
    floors, sums = brute_force(vectors)
    indices, cosines = nearest_to_all(vectors, K)
    ours = recall(np.repeat(np.arange(count), K), cosines.ravel(), floors)
    np.testing.assert_allclose(cosines.sum(axis=1), sums, atol=1e-4)
    rows, columns = np.load(tmp_path / "found.npy")[:, :2].astype(np.int64).T
    assert len(rows) == count * K
    their = recall(rows, np.einsum("nd,nd->n", vectors[rows], vectors[columns]), floors)
    used = versions("faiss-cpu") | {"fastdup": answers[-1]["version"]}
    found.report(">= 4 alone", used, recalls=[round(their, 3), ours], wall_s=answers[-1]["wall"])
    assert ours == 1.0
    assert indices.min() >= 0
    assert not (size.is_full and kind == "alone") or found.ratio >= 4


def million(home: Path, count: int) -> Lake:
    """A lake of that many vectors, made once and kept."""
    root = home / f"vectors-{count}"
    if not root.exists():
        making = root.with_suffix(".making")
        lake, first = create_lake(str(making)), 0
        for part in grouped(count):
            put_vectors(lake, part, first=first)
            first += len(part)
        making.rename(root)
    return Lake(str(root))


def test_a_million_neighbours(size: Size, tmp_path: Path) -> None:
    count = size.of(1_200, 1_000_000)
    lake = million(CACHE if size.is_full else tmp_path, count)
    lake.delta("neighbours").delete()
    load = wait_for_quiet() if size.is_full else os.getloadavg()[0]
    command = [sys.executable, "-m", "tests.benchmarks.joins_million", lake.root, str(K), str(size.of(500, 100_000))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["written"] == count
    with Session(lake) as session:
        sql = "select count(*), count(distinct image_id) from neighbours where model_id = $m"
        ((rows, images),) = session.execute(sql, {"m": MODEL}).fetchall()
    assert count * K * 0.99 <= rows <= count * K
    assert images == count
    used = versions("imagelake", "faiss-cpu", "numpy", "duckdb")
    say(
        {
            "name": f"neighbours of {count:,} x {DIMENSIONS}",
            **told,
            "limit": "4,096 MiB",
            "load": load,
            "versions": used,
        }
    )
    assert float(told["search"].removeprefix("by lists, recall ")) >= 0.9
    assert not size.is_full or told["peak_mib"] < 4096
