"""CPU time of `extract` against a loop that only reads, digests and decodes each file."""

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imagelake.image.decode import reduction
from imagelake.jobs import extract
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import Comparison, cpu_of, versions

FreshLakes = Callable[[Path], Callable[[], Lake]]
ONLY = ("hashes", "exif", "thumbnails")
OPTIONS = {"only": ONLY, "pixel_hash": False, "engine": "local", "workers": 1, "quiet": True}


def bare_loop(paths: list[Path], digests: dict[str, str], *, reduced: bool = True) -> None:
    """Read, digest and decode each file once, JPEGs at the scale that `extract` uses."""
    for path in paths:
        data = path.read_bytes()
        digests[str(path)] = hashlib.sha256(data).hexdigest()
        image = Image.open(io.BytesIO(data))
        if reduced:
            factor = min(8, reduction(image.size, 0))
            image.draft(None, (image.width // factor, image.height // factor))
        image.load()


def extract_all(lake: Lake, count: int, **options: object) -> None:
    report = extract.run(extract.Config(lake.root, **{**OPTIONS, **options}), lake)
    assert (report.written, report.rejected) == (count, 0)


def check(lake: Lake, digests: dict[str, str], *, maker_notes: bool) -> None:
    """Every picture has all rows, under the digest that the loop computed."""
    with Session(lake) as session:
        rows = session.execute("select uri, image_id from images").fetchall()
        assert dict(rows) == digests
        for table in ONLY:
            found = session.execute(f"select count(*) from {table} join images using (image_id)").fetchall()
            assert found == [(len(digests),)], table
        notes = "count(*) filter (len(list_filter(map_keys(tags), lambda k: k.starts_with('MakerNote '))) > 10)"
        ((noted, dated),) = session.execute(f"select {notes}, count(captured_at) from exif").fetchall()
        assert (noted, dated) == (len(digests) if maker_notes else 0, len(digests))


def _compared(
    name: str, folder: Path, fresh_lakes: FreshLakes, rounds: int, **options: object
) -> tuple[Comparison, Lake, dict[str, str]]:
    paths = sorted(folder.iterdir())
    digests: dict[str, str] = {}
    fresh = fresh_lakes(folder)
    lakes: list[Lake] = []

    def ours() -> float:
        lakes.append(fresh())
        return cpu_of(lambda: extract_all(lakes[-1], len(paths), **options))

    def bare() -> float:
        return cpu_of(lambda: bare_loop(paths, digests, reduced=not options.get("pixel_hash")))

    bare(), ours()
    return Comparison(name, len(paths)).rounds(rounds, ours, bare), lakes[-1], digests


USED = ("imagelake", "pillow", "duckdb", "deltalake", "pyarrow", "numpy", "exifread")


@pytest.mark.parametrize(("maker_notes", "limit"), [(False, 1.25), (True, 1.4)], ids=["without-notes", "with-notes"])
def test_extract_costs_little_more_than_the_decode(
    size: Size, pictures: Callable[[int], Path], fresh_lakes: FreshLakes, maker_notes: bool, limit: float
) -> None:
    folder = pictures(size.of(12, 1000))
    name = f"extract {'with' if maker_notes else 'without'} maker notes / bare decode"
    found, lake, digests = _compared(name, folder, fresh_lakes, size.of(1, 5), maker_notes=maker_notes)
    check(lake, digests, maker_notes=maker_notes)
    found.report(f"<= {limit}", versions(*USED))
    assert not size.is_full or found.ratio <= limit


def test_extract_with_pixel_hash_apart(size: Size, pictures: Callable[[int], Path], fresh_lakes: FreshLakes) -> None:
    """pixel_hash needs every pixel: the loop decodes in full too."""
    folder = pictures(size.of(12, 200))
    found, lake, digests = _compared(
        "extract with pixel_hash / bare full decode", folder, fresh_lakes, size.of(1, 3), pixel_hash=True
    )
    check(lake, digests, maker_notes=True)
    found.report("none", versions(*USED))


def _cameras(corpus: Path) -> Iterator[Path]:
    for path in sorted(corpus.rglob("*.jp*g")):
        data = path.read_bytes()
        if path.parent.name != "broken" and len(data) > 200_000 and b"Exif" in data[:64]:
            yield path


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_extract_on_the_camera_files_of_the_corpus(corpus: Path, tmp_path: Path, fresh_lakes: FreshLakes) -> None:
    """The same on real files, where a folder of them is named by IMAGELAKE_CORPUS."""
    (tmp_path / "cameras").mkdir()
    seen: set[bytes] = set()
    for path in _cameras(corpus):
        data = path.read_bytes()
        if hashlib.sha256(data).digest() not in seen:
            seen.add(hashlib.sha256(data).digest())
            (tmp_path / "cameras" / f"{len(seen):04d}.jpg").write_bytes(data)
    assert seen
    for maker_notes in (False, True):
        name = f"extract {'with' if maker_notes else 'without'} maker notes / bare decode, {len(seen)} camera files"
        found, _, _ = _compared(name, tmp_path / "cameras", fresh_lakes, 5, maker_notes=maker_notes)
        found.report("none", versions(*USED))
