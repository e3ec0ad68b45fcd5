"""A lake of a million pictures (metadata only): a run with nothing to do, a point query, a group-by.

Whole processes, before and after `imagelake maintain --compact`, against plain duckdb over the same Parquet files.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagelake.lake.lake import Lake
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, Comparison, cpu_seconds, versions
from tests.benchmarks.synthetic import FORMATS, image_id, make_lake

TABLES = ("images", "sightings", "hashes", "exif", "thumbnails")
POINT = "select uri, format, height_px, phash from images join hashes using (image_id) where image_id = '{}'"
GROUPS = "select format, count(*) as n, avg(height_px) as h from images group by format order by format"
PENDING = (
    "select count(*) as n from images where image_id not in (select image_id from hashes)"
    " or image_id not in (select image_id from exif) or image_id not in (select image_id from thumbnails)"
)
TELL_PEAK = """
from pathlib import Path
import sys
line = [text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM:")]
print(int(line[0].split()[1]) / 1024, file=sys.stderr)
"""
COMMAND = f"""
import sys
from imagelake.cli import main
code = main(sys.argv[1:])
{TELL_PEAK}
sys.exit(code)
"""
BARE = """
import csv, duckdb, json, sys
con = duckdb.connect()
for table, files in json.load(open(sys.argv[1])).items():
    con.execute(f"create view {table} as select * from read_parquet({files})")
result = con.execute(sys.argv[2])
writer = csv.writer(sys.stdout)
writer.writerow([column[0] for column in result.description])
writer.writerows(result.fetchall())
"""
BARE += TELL_PEAK
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """One process: its output, CPU and wall seconds, peak memory in MiB."""

    out: str
    cpu: float
    wall: float
    peak_mib: float


def ran(command: Sequence[str]) -> Ran:
    began, cpu = time.perf_counter(), cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    peak = float(done.stderr.splitlines()[-1])
    return Ran(done.stdout, cpu_seconds() - cpu, time.perf_counter() - began, peak)


def imagelake(*arguments: str) -> Ran:
    return ran([sys.executable, "-c", COMMAND, *arguments])


def sql(lake: Lake, statement: str) -> Ran:
    return imagelake("sql", "--lake", lake.root, statement, "--format", "csv")


def nothing_to_do(lake: Lake, count: int) -> Ran:
    done = imagelake(
        "extract",
        "--lake",
        lake.root,
        "--only",
        "hashes,exif,thumbnails",
        "--no-pixel-hash",
        "--engine",
        "local",
        "--json",
        "--quiet",
    )
    report = json.loads(done.out)
    assert (report["already_present"], report["written"], report["rejected"]) == (count, 0, 0)
    return done


def bare(lake: Lake, statement: str) -> Ran:
    """DuckDB over the files of the newest versions, whose names it is given."""
    return ran([sys.executable, "-c", BARE, f"{lake.root}.files", statement])


def name_files(lake: Lake) -> dict[str, int]:
    """Write the list for `bare`; returns the number of files by table."""
    files = {name: [uri.removeprefix("file://") for uri in lake.delta(name).file_uris()] for name in TABLES}
    Path(f"{lake.root}.files").write_text(json.dumps(files))
    return {name: len(paths) for name, paths in files.items()}


def _compare(name: str, rounds: int, ours: list[Ran], theirs: list[Ran]) -> None:
    for unit in ("cpu", "wall"):
        pairs = [(getattr(a, unit), getattr(b, unit)) for a, b in zip(ours, theirs, strict=True)]
        peaks = {"peak_mib": round(max(r.peak_mib for r in ours)), "bare_mib": round(max(r.peak_mib for r in theirs))}
        Comparison(f"{name} / bare duckdb", 1, unit, pairs).report("none", versions("imagelake", "duckdb"), **peaks)
    assert len(ours) == rounds


@pytest.mark.parametrize("compacted", [False, True], ids=["small-files", "compacted"])
def test_a_million_pictures(size: Size, tmp_path: Path, compacted: bool) -> None:
    count = size.of(2000, 1_000_000)
    made = make_lake(
        (CACHE if size.is_full else tmp_path) / f"described-{count}",
        count,
        per_fragment=size.of(100, 1000),
        described=True,
    )
    lake = Lake(str(shutil.copytree(made.root, tmp_path / "lake")))
    state = "many small files"
    if compacted:
        imagelake("maintain", "--lake", lake.root, "--compact", "--checkpoint")
        state = "compacted"
    state += f" ({sum(name_files(lake).values())})"
    rounds = size.of(1, 3)
    queries = {
        "point query": POINT.format(image_id(count // 2)),
        "group-by": GROUPS,
    }
    for name, statement in queries.items():
        pairs = [(sql(lake, statement), bare(lake, statement)) for _ in range(rounds)]
        rows = pairs[-1][0].out.splitlines()
        assert len(rows) == (2 if name == "point query" else 1 + len(set(FORMATS)))
        _compare(f"{count:,} images, {state}: {name}", rounds, [a for a, _ in pairs], [b for _, b in pairs])
    pairs = [(nothing_to_do(lake, count), bare(lake, PENDING)) for _ in range(rounds)]
    assert pairs[-1][1].out.splitlines()[1] == "0"
    _compare(
        f"{count:,} images, {state}: extract with nothing to do", rounds, [a for a, _ in pairs], [b for _, b in pairs]
    )
