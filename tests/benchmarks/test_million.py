"""A lake of a million pictures (metadata only): a run with nothing to do, a point query, a group-by.

Whole processes, before and after `imagelake maintain --compact`, against plain duckdb over the same Parquet files.
"""

import json
import os
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
from tests.benchmarks.measure import CACHE, Comparison, versions
from tests.benchmarks.synthetic import FORMATS, image_id, make_lake

TABLES = ("images", "sightings", "hashes", "exif", "thumbnails")
POINT = "select i.*, h.phash from images as i join hashes as h using (image_id) where i.image_id = '{}'"
GROUPS = "select format, count(*) as n, avg(height_px) as h from images group by format order by format"
PENDING = (
    "select count(*) as n from images where image_id not in (select image_id from hashes)"
    " or image_id not in (select image_id from exif) or image_id not in (select image_id from thumbnails)"
)
BARE = """
import csv, duckdb, sys
con = duckdb.connect()
for table in {tables}:
    con.execute(f"create view {{table}} as select * from read_parquet('{root}/tables/{{table}}/*.parquet')")
result = con.execute({sql!r})
writer = csv.writer(sys.stdout, lineterminator="\\n")
writer.writerow([column[0] for column in result.description])
writer.writerows(result.fetchall())
"""


@dataclass(frozen=True)
class Ran:
    """One process: its output, CPU and wall seconds, peak memory in MiB."""

    out: str
    cpu: float
    wall: float
    peak_mib: float


def ran(command: Sequence[str]) -> Ran:
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    used = usage.ru_utime + usage.ru_stime
    return Ran(out, used, time.perf_counter() - began, usage.ru_maxrss / 1024)


def imagelake(*arguments: str) -> Ran:
    return ran([sys.executable, "-m", "imagelake.cli", *arguments])


def sql(lake: Lake, statement: str) -> Ran:
    return imagelake("sql", "--lake", lake.root, statement, "--format", "csv")


def nothing_to_do(lake: Lake, count: int) -> Ran:
    done = imagelake("extract", "--lake", lake.root, "--no-pixel-hash", "--engine", "local", "--json", "--quiet")
    report = json.loads(done.out)
    assert (report["already_present"], report["written"], report["rejected"]) == (count, 0, 0)
    return done


def bare(lake: Lake, statement: str) -> Ran:
    return ran([sys.executable, "-c", BARE.format(tables=TABLES, root=lake.root, sql=statement)])


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
        imagelake("maintain", "--lake", lake.root, "--vacuum", "--retention-hours", "0") if False else None
        state = "compacted"
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
