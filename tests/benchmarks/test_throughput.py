"""Wall time of `extract` on two workers against a bare pool of two processes that calls the same functions."""

import hashlib
import multiprocessing as mp
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from imagelake.extract.exif import exif_row
from imagelake.extract.hashes import perceptual_hashes
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import open_picture
from imagelake.jobs import extract
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, versions, wait_for_quiet, wall_of
from tests.benchmarks.test_extract import ONLY, FreshLakes

WORKERS = 2


def look(path: str) -> tuple[str, int, int]:
    """What `extract` computes of a picture; nothing is stored. Returns what is needed for checking."""
    data = Path(path).read_bytes()
    image_id = hashlib.sha256(data).hexdigest()
    exif_row(data, maker_notes=True)
    picture = open_picture(data)
    hashes = perceptual_hashes(picture.small)
    return image_id, hashes.phash, len(thumbnail(picture).jpeg)


def check(lake: Lake, expected: list[tuple[str, int, int]]) -> None:
    with Session(lake) as session:
        tables = "hashes join thumbnails using (image_id) join exif using (image_id)"
        rows = session.execute(f"select image_id, phash, octet_length(jpeg) from {tables}").fetchall()
    assert sorted(rows) == sorted(expected)


def _against_pool(
    engine: str, folder: Path, fresh: Callable[[], Lake], rounds: int, pool: Pool
) -> tuple[Comparison, Lake, list[tuple[str, int, int]]]:
    paths = [str(path) for path in sorted(folder.iterdir())]
    lakes: list[Lake] = []
    results: list[tuple[str, int, int]] = []

    def ours() -> float:
        lake = fresh()
        config = extract.Config(lake.root, only=ONLY, pixel_hash=False, engine=engine, workers=WORKERS, quiet=True)
        taken = wall_of(lambda: extract.run(config, lake))
        lakes.append(lake)
        return taken

    def bare() -> float:
        results.clear()
        return wall_of(lambda: results.extend(pool.imap_unordered(look, paths, chunksize=8)))

    wait_for_quiet()
    bare(), ours()
    name = f"throughput of {'warm ' * (engine == 'ray')}--engine {engine} / bare pool"
    found = Comparison(name, len(paths), "wall").rounds(rounds, bare, ours)
    return found, lakes[-1], results


@pytest.fixture
def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Starts what the engine needs."""

    def start(engine: str) -> None:
        if engine == "ray":
            # Ray gives its workers less priority than other programs have; the pool's keep theirs
            monkeypatch.setenv("RAY_worker_niceness", "0")
            request.getfixturevalue("shared_ray")

    return start


@pytest.mark.parametrize(("engine", "limit"), [("local", 0.85), ("ray", 0.75)])
def test_engines_keep_two_workers_busy(
    size: Size,
    pictures: Callable[[int], Path],
    fresh_lakes: FreshLakes,
    engine: str,
    limit: float,
    warm: Callable[[str], None],
) -> None:
    warm(engine)
    folder = pictures(size.of(12, 1000))
    with mp.get_context("spawn").Pool(WORKERS) as pool:
        found, lake, expected = _against_pool(engine, folder, fresh_lakes(folder), size.of(1, 7), pool)
    check(lake, expected)
    found.report(f">= {limit}", versions("imagelake", "pillow", "ray", "pyarrow", "duckdb", "numpy"))
    assert not size.is_full or found.ratio >= limit
