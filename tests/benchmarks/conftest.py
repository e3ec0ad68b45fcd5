"""Sizes and pictures of the benchmarks: every body runs at toy size among the tests, and in full by `make bench`."""

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagelake.jobs import ingest
from imagelake.lake.lake import Lake, create_lake
from tests.benchmarks.measure import CACHE
from tests.benchmarks.photos import photographs

TOY_PX = (640, 480)


@dataclass(frozen=True)
class Size:
    """How much a benchmark does; ratios are asserted in full only."""

    is_full: bool

    def of(self, toy: int, full: int) -> int:
        """The number for this size."""
        return full if self.is_full else toy


@pytest.fixture(
    params=[
        pytest.param(Size(False), id="toy"),
        pytest.param(Size(True), id="full", marks=[pytest.mark.bench, pytest.mark.timeout(3600)]),
    ]
)
def size(request: pytest.FixtureRequest) -> Size:
    """Toy or full."""
    if request.param.is_full:
        CACHE.mkdir(exist_ok=True)
    found: Size = request.param
    return found


@pytest.fixture(scope="session")
def _toy_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def pictures(size: Size, _toy_pictures: Path) -> Callable[[int], Path]:
    """A folder of that many photo-like JPEGs: 3 to 4 megapixels in full, 640 x 480 as toys."""
    if size.is_full:
        return lambda count: photographs(CACHE, count)
    return lambda count: photographs(_toy_pictures, count, TOY_PX)


@pytest.fixture
def fresh_lakes(tmp_path: Path) -> Callable[[Path], Callable[[], Lake]]:
    """Given a folder of pictures, makes lakes that hold them in place and nothing else."""

    made = itertools.count()

    def of(folder: Path) -> Callable[[], Lake]:
        whole = create_lake(str(tmp_path / f"ingested-{next(made)}"))
        ingest.run(ingest.Config((str(folder),), whole.root, in_place=True, quiet=True, engine="local"), whole)

        def fresh() -> Lake:
            return Lake(str(shutil.copytree(whole.root, tmp_path / f"lake-{next(made)}")))

        return fresh

    return of
