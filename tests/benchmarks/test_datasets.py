"""`dataset create` at a million rows, and `dataset export` against loops that only copy or only write tar files."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagelake.jobs import dataset_create, dataset_export, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import CACHE, Comparison, cpu_of, cpu_seconds, say, versions, wall_of
from tests.benchmarks.synthetic import make_lake
from tests.benchmarks.test_million import COMMAND

USED = ("imagelake", "duckdb", "deltalake", "pyarrow", "numpy")
# Ten classes of unlike size, owners of 1 to 20 pictures, one owner of a hundredth of all.
STATEMENT = """
select
  image_id,
  'class ' || floor(10 * pow(('0x' || image_id[1:6])::int / 16777216, 3))::int as label,
  if(image_id[7:8] = '00', 'everybody', image_id[9:13]) as owner
from images
"""


def test_create(size: Size, tmp_path: Path) -> None:
    count = size.of(2000, 1_000_000)
    root = (CACHE if size.is_full else tmp_path) / f"described-{count}"
    made = make_lake(root, count, per_fragment=size.of(100, 1000), described=True)
    lake = Lake(str(shutil.copytree(made.root, tmp_path / "lake")))
    arguments = [
        "dataset",
        "create",
        "million",
        "--lake",
        lake.root,
        "--sql",
        STATEMENT,
        "--group-by",
        "owner",
        "--json",
    ]
    before = cpu_seconds()
    done: list[subprocess.CompletedProcess[str]] = []
    command = [sys.executable, "-c", COMMAND, *arguments]
    wall = wall_of(lambda: done.append(subprocess.run(command, capture_output=True, text=True, check=True)))
    assert json.loads(done[0].stdout)["written"] == count
    with Session(lake) as session:
        torn = "select count(*) from (select 1 from dataset_images group by group_id having count(distinct split) > 1)"
        assert session.execute(torn).fetchall() == [(0,)]
        worst = session.execute(
            "with n as (select labels[1] as label, split, count(*) as n from dataset_images group by all)"
            " select max(abs(n - share * total)) from"
            " (select label, split, n, sum(n) over (partition by label) as total,"
            " case split when 'train' then 0.7 when 'val' then 0.1 else 0.2 end as share from n)"
        ).fetchall()[0][0]
    assert worst <= size.of(20, 5), "images by which a class misses its share in a split"
    peak = round(float(done[0].stderr.splitlines()[-1]))
    line = {"name": f"dataset create, {count:,} images", "wall_s": round(wall, 1), "peak_mib": peak}
    say({**line, "cpu_s": round(cpu_seconds() - before, 1), "worst": worst, "versions": versions(*USED)})
    if size.is_full:
        assert wall < 60


def _lake(folder: Path, tmp_path: Path) -> tuple[Lake, list[Path]]:
    lake = create_lake(str(tmp_path / "lake"))
    ingest.run(ingest.Config((str(folder),), lake.root, quiet=True, engine="local"), lake)
    config = dataset_create.Config("set", lake.root, sql="select image_id, 'a' as label from images", split="1")
    dataset_create.run(config, lake)
    return lake, sorted(folder.iterdir())


def _copy(paths: list[Path], out: Path, digest: Callable[[bytes], object] | None) -> None:
    """Read each file and write it into a folder."""
    out.mkdir(parents=True)
    for path in paths:
        data = path.read_bytes()
        if digest is not None:
            digest(data)
        (out / path.name).write_bytes(data)


def _tar(paths: list[Path], out: Path, digest: Callable[[bytes], object] | None) -> None:
    """Read each file and add it to a tar file, as `tarfile` does."""
    with tarfile.open(out, "w") as tar:
        for path in paths:
            data = path.read_bytes()
            if digest is not None:
                digest(data)
            info = tarfile.TarInfo(path.name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize(("kind", "loop"), [("imagefolder", _copy), ("webdataset", _tar)])
def test_export(
    size: Size, pictures: Callable[[int], Path], tmp_path: Path, kind: str, loop: Callable[..., None]
) -> None:
    lake, paths = _lake(pictures(size.of(12, 1000)), tmp_path)
    outs = (tmp_path / f"out{n}" for n in range(100))

    def ours() -> float:
        out = next(outs)
        config = dataset_export.Config(
            "set", lake.root, out=str(out), format=kind, engine="local", workers=1, quiet=True
        )
        seconds = cpu_of(lambda: dataset_export.run(config, lake))
        written = sum(path.stat().st_size for path in out.rglob("*") if path.suffix in (".jpg", ".tar"))
        assert written >= sum(path.stat().st_size for path in paths)
        shutil.rmtree(out)
        return seconds

    def bare(digest: Callable[[bytes], object] | None) -> float:
        out = next(outs)
        seconds = cpu_of(lambda: loop(paths, out, digest))
        shutil.rmtree(out) if out.is_dir() else out.unlink()
        return seconds

    ours(), bare(None)
    checked = Comparison(f"export {kind} / {loop.__name__[1:]} and SHA-256", len(paths))
    checked.rounds(size.of(1, 5), ours, lambda: bare(lambda data: hashlib.sha256(data).digest())).report(
        "1.5", versions(*USED)
    )
    copied = Comparison(f"export {kind} / {loop.__name__[1:]} alone", len(paths))
    copied.rounds(size.of(1, 5), ours, lambda: bare(None)).report("none", versions(*USED))
    if size.is_full:
        assert checked.ratio < 1.5
