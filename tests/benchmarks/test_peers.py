"""CPU time per picture against other programs, from a folder of files to the result.

Ours is `ingest --in-place` and `extract`, from the folder to committed tables, and computes more than the peer: all
three perceptual hashes and SHA-256 with exact resume (hashes), or EXIF besides (tables).
"""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from PIL import Image

from imagelake.jobs import extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, cpu_of, versions
from tests.benchmarks.peers import Peer, peer

LIMIT = 2.0
COPIES = 3


@pytest.fixture
def collection(size: Size, pictures: Callable[[int], Path], tmp_path: Path) -> Path:
    """A folder of pictures, exact copies of three of them, and three more saved at quality 60."""
    folder = tmp_path / "collection"
    folder.mkdir()
    originals = sorted(pictures(size.of(12, 1000)).iterdir())[: size.of(12, 200)]
    for path in originals:
        shutil.copyfile(path, folder / path.name)
    for path in originals[:COPIES]:
        shutil.copyfile(path, folder / f"copy-{path.name}")
    for path in originals[COPIES : 2 * COPIES]:
        with Image.open(path) as image:
            image.save(folder / f"again-{path.name}", quality=60, exif=image.getexif())
    return folder


class Contest:
    """Ours and a peer in turns; the peer's CPU seconds are what it needed after its imports."""

    def __init__(self, folder: Path, tmp_path: Path, other: Peer, arguments: Callable[[], list[object]]) -> None:
        self.count = len(list(folder.iterdir()))
        self._folder, self._tmp_path = folder, tmp_path
        self._other, self._arguments = other, arguments
        self._number = itertools.count()
        self.lake = Lake("")
        self.answers: list[dict[str, Any]] = []

    def ours(self, only: tuple[str, ...]) -> float:
        self.lake = create_lake(str(self._tmp_path / f"lake-{next(self._number)}"))
        given = {"engine": "local", "workers": 1, "quiet": True}

        def both() -> None:
            ingest.run(ingest.Config((str(self._folder),), self.lake.root, in_place=True, **given), self.lake)
            extract.run(extract.Config(self.lake.root, only=only, pixel_hash=False, **given), self.lake)

        return cpu_of(both)

    def theirs(self) -> float:
        self.answers.append(self._other.run(self._folder, *self._arguments()))
        return float(self.answers[-1]["cpu"])

    def run(self, name: str, rounds: int, only: tuple[str, ...]) -> Comparison:
        return Comparison(name, self.count).rounds(rounds, self.theirs, lambda: self.ours(only))

    def report(self, found: Comparison, size: Size) -> None:
        used = versions("imagelake", "pillow", "duckdb") | {self._other.name: self.answers[-1]["version"]}
        found.report(f">= {LIMIT}", used, start_up_s_apart=round(self.answers[-1]["start"], 2))
        assert not size.is_full or found.ratio >= LIMIT


def _groups(lake: Lake) -> tuple[list[list[str]], list[list[str]]]:
    """Names of the files of equal bytes, and of those of equal pHash."""
    names = "list_sort(list(distinct parse_filename(origin)))"
    groups = f"select {names} from sightings join hashes using (image_id) group by %s having count(*) > 1 order by 1"
    with Session(lake) as session:
        exact, near = (session.execute(groups % key).fetchall() for key in ("image_id", "phash"))
    return [row[0] for row in exact], [row[0] for row in near]


def test_duplicates_against_cleanvision(size: Size, collection: Path, tmp_path: Path) -> None:
    contest = Contest(collection, tmp_path, peer("cleanvision", install=size.is_full), list)
    found = contest.run("CleanVision exact and near duplicates / ingest and extract", size.of(1, 5), ("hashes",))
    exact, near = _groups(contest.lake)
    answer = contest.answers[-1]
    planted = [[f"{n:05d}.jpg", f"copy-{n:05d}.jpg"] for n in range(COPIES)]
    assert exact == planted == sorted(map(sorted, answer["exact_duplicates"]))
    again = [[f"{n:05d}.jpg", f"again-{n:05d}.jpg"] for n in range(COPIES, 2 * COPIES)]
    theirs = [sorted(group) for group in answer["near_duplicates"]]
    assert sum(pair in near for pair in again) >= COPIES - 1, "recompressed pictures keep our pHash"
    assert sum(pair in theirs for pair in again) >= COPIES - 1
    assert answer["rows"] == contest.count
    contest.report(found, size)


@pytest.mark.parametrize("method", ["PHash", "DHash"])
def test_hashes_against_imagededup(size: Size, collection: Path, tmp_path: Path, method: str) -> None:
    contest = Contest(collection, tmp_path, peer("imagededup", install=size.is_full), lambda: [method])
    found = contest.run(f"imagededup {method} / ingest and extract (three hashes)", size.of(1, 5), ("hashes",))
    hashes: dict[str, str] = contest.answers[-1]["hashes"]
    assert len(hashes) == contest.count
    exact, _ = _groups(contest.lake)
    assert all(hashes[a] == hashes[b] for a, b in exact)
    assert len(set(hashes.values())) > len(hashes) / 2, "other pictures have other hashes"
    with Session(contest.lake) as session:
        sql = "select count(*), count(distinct phash), count(distinct dhash) from hashes"
        ((rows, phashes, dhashes),) = session.execute(sql).fetchall()
    assert rows == contest.count - COPIES
    assert min(phashes, dhashes) > rows / 2
    contest.report(found, size)


def test_tables_against_daft(size: Size, collection: Path, tmp_path: Path) -> None:
    numbers = itertools.count()
    contest = Contest(
        collection,
        tmp_path,
        peer("daft", install=size.is_full),
        lambda: [tmp_path / f"daft-{next(numbers)}"],
    )
    found = contest.run(
        "Daft read, decode, hash, resize, write / ingest and extract", size.of(1, 5), ("hashes", "exif", "thumbnails")
    )
    rows = ds.dataset(tmp_path / f"daft-{next(numbers) - 1}").to_table()
    assert rows.num_rows == contest.count
    assert rows["phash"].null_count == rows["thumbnail"].null_count == 0
    with Session(contest.lake) as session:
        sql = "select count(*) from hashes join exif using (image_id) join thumbnails using (image_id)"
        assert session.execute(sql).fetchall() == [(contest.count - COPIES,)]
    contest.report(found, size)
