"""Wall time of `extract` on two workers against a bare pool of two processes that calls the same functions."""

import hashlib
import multiprocessing as mp
import threading
import time
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

import pyarrow as pa
import pytest

from imagelake.engine import chain
from imagelake.extract import pictures as looking
from imagelake.extract.exif import exif_row
from imagelake.extract.hashes import perceptual_hashes
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import open_picture
from imagelake.jobs import extract
from imagelake.lake.lake import Lake
from imagelake.lake.pending import Output, PendingImages
from imagelake.lake.session import Session
from imagelake.lake.writer import WriteTables
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, say, versions, wait_for_quiet, wall_of
from tests.benchmarks.test_extract import FreshLakes

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
        sql = "select image_id, phash, octet_length(jpeg) from hashes join thumbnails using (image_id) join exif using (image_id)"
        assert sorted(session.execute(sql).fetchall()) == sorted(expected)


def _against_pool(
    engine: str, folder: Path, fresh: Callable[[], Lake], rounds: int, pool: Pool
) -> tuple[Comparison, Lake, list[tuple[str, int, int]]]:
    paths = [str(path) for path in sorted(folder.iterdir())]
    lakes: list[Lake] = []
    results: list[tuple[str, int, int]] = []

    def ours() -> float:
        lake = fresh()
        config = extract.Config(lake.root, pixel_hash=False, engine=engine, workers=WORKERS, quiet=True)
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


@pytest.mark.parametrize(("engine", "limit"), [("local", 0.85), ("ray", 0.75)])
def test_engines_keep_two_workers_busy(
    size: Size,
    pictures: Callable[[int], Path],
    fresh_lakes: FreshLakes,
    engine: str,
    limit: float,
    request: pytest.FixtureRequest,
) -> None:
    if engine == "ray":
        request.getfixturevalue("shared_ray")
    folder = pictures(size.of(12, 500))
    with mp.get_context("spawn").Pool(WORKERS) as pool:
        found, lake, expected = _against_pool(engine, folder, fresh_lakes(folder), size.of(1, 9), pool)
    check(lake, expected)
    found.report(f">= {limit}", versions("imagelake", "pillow", "ray", "pyarrow", "duckdb", "numpy"))
    assert not size.is_full or found.ratio >= limit


def _stages(lake: Lake) -> tuple[list[Callable[..., object]], pa.Table]:
    outputs = (
        Output("hashes", looking.HASHES_WITHOUT_PIXEL_HASH),
        Output("exif", looking.EXIF_VERSION, needs_pixels=False),
        Output("thumbnails", looking.THUMBNAILS_VERSION),
    )
    with Session(lake) as session:
        (work,) = PendingImages(session, "extract", looking.VERSION, outputs, retry_failed=False).batches(1000)
    stage = looking.LookAtPictures(lake.storage, "bench", outputs, {}, True, 1 << 40)
    return [stage.open(), WriteTables(lake.storage, "bench").open()], work


def _locked_share(work: Callable[[], object]) -> float:
    """Share of a call's time in which another thread that only computes in Python does not get on.

    A spinner counts what it gets on alone and beside the work, each by its own CPU clock: what it loses against
    the wall clock while a core is free for it is the time for which it waited for the interpreter lock.
    """
    stop = threading.Event()
    spun = [0.0, 0.0]

    def spin() -> None:
        began, cpu = time.perf_counter(), time.thread_time()
        while not stop.is_set():
            for _ in range(200):
                pass
        spun[:] = time.thread_time() - cpu, time.perf_counter() - began

    spinner = threading.Thread(target=spin)
    spinner.start()
    work()
    stop.set()
    spinner.join()
    return 1 - spun[0] / spun[1]
