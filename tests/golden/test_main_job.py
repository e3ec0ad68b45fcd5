"""The main job on real files with known answers."""

import json
import subprocess
import sys
from pathlib import Path

from imagelake.lake.lake import Lake, open_lake
from imagelake.lake.session import Session

# One process does the whole main job; its peak memory is its own.
JOB = """
import json, sys, time
from pathlib import Path
from imagelake.jobs import extract, ingest
from imagelake.lake.lake import create_lake
began = time.monotonic()
lake = create_lake(sys.argv[1])
ingest.run(ingest.Config(tuple(sys.argv[2:]), lake.root, quiet=True), lake)
extract.run(extract.Config(lake.root, embed=("descriptor",), quiet=True), lake)
# not ru_maxrss, which begins at what the parent had when it forked
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({"seconds": time.monotonic() - began, "peak_bytes": int(peak) * 1024}))
"""


def main_job(root: Path, *sources: Path) -> tuple[Lake, dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(root), *map(str, sources)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return open_lake(str(root)), json.loads(done.stdout.splitlines()[-1])


def test_pixel_hashes_of_the_tagging_tools(corpus: Path, tmp_path: Path) -> None:
    expected = json.loads((corpus / "tagging" / "input-metadata.json").read_text())
    lake, _ = main_job(tmp_path / "lake", corpus / "tagging" / "tagged")
    with Session(lake) as session:
        rows = session.execute(
            "select s.origin, h.pixel_hash, i.width_px, i.height_px, i.format, i.length_bytes"
            " from sightings as s join hashes as h using (image_id) join images as i using (image_id)"
        ).fetchall()
    assert len(rows) == 24
    for origin, pixel_hash, width, height, kind, length in rows:
        known = expected[pixel_hash]
        assert known["file_name"] == origin.rpartition("/")[2]
        assert (known["image_resolution"], known["file_type"], known["image_size_bytes"]) == (
            [width, height],
            kind,
            length,
        )


def test_the_nested_zip_has_20_files_and_16_pictures(corpus: Path, tmp_path: Path) -> None:
    expected = json.loads((corpus / "tagging" / "input-metadata.json").read_text())
    lake, _ = main_job(tmp_path / "lake", corpus / "tagging" / "subset3.zip")
    with Session(lake) as session:
        assert session.execute("select count(*), count(distinct image_id) from sightings").fetchall() == [(20, 16)]
        hashes = {row[0] for row in session.execute("select pixel_hash from hashes").fetchall()}
        inner = session.execute("select count(*) from sightings where origin like '%subset3.zip!%.zip!%'").fetchall()
        assert session.execute("select members from archives").fetchall() == [(20,)]
    assert inner == [(4,)]
    assert len(hashes) == 16
    assert hashes <= set(expected)


def test_broken_and_odd_files_end_as_an_image_or_as_a_failure(corpus: Path, tmp_path: Path) -> None:
    lake, cost = main_job(tmp_path / "lake", corpus / "broken", corpus / "odd")
    files = {str(p) for folder in ("broken", "odd") for p in (corpus / folder).rglob("*") if p.is_file()}
    with Session(lake) as session:
        ends = session.execute(
            "select origin, count(*) from ("
            "  select origin from sightings as s where exists (select 1 from hashes as h where h.image_id = s.image_id)"
            "  union all select item from failures"
            ") group by origin"
        ).fetchall()
        reasons = {row[0] for row in session.execute("select distinct reason from failures").fetchall()}
    assert {origin for origin, _ in ends} == files
    assert {count for _, count in ends} == {1}, "each file ends once"
    assert {"truncated", "corrupt", "too_many_pixels"} <= reasons
    assert cost["seconds"] < 60
    assert cost["peak_bytes"] < 2 << 30


def test_exif_of_every_camera_arrives_in_the_table(corpus: Path, tmp_path: Path) -> None:
    lake, _ = main_job(tmp_path / "lake", corpus / "exif", corpus / "exif_brands")
    with Session(lake) as session:
        makes = "count(*) filter (trim(coalesce(tags['Image Make'], '')) <> '')"
        rows = session.execute(f"select count(*), count(make), {makes}, count(gps_lat) from exif").fetchall()
        pictures = session.execute("select count(*) from images").fetchall()
        flash = session.execute("select count(*) from exif where tags['EXIF Flash'] = '9969' and flash_fired is null")
        assert flash.fetchall() == [(1,)], "out of range: null in its column, kept in tags"
    assert rows[0][0] == pictures[0][0]
    assert rows[0][1] == rows[0][2] > 80
    assert rows[0][3] >= 10
