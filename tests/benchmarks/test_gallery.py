"""The report's galleries of 10,000 groups: time, memory, bytes per group.

A whole process. For comparison: pages of fastdup 2.54 hold their pictures as base64, 20 rows in 0.9 MB.
"""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.tables import table_def
from tests.benchmarks.conftest import Size
from tests.benchmarks.measure import say, versions
from tests.benchmarks.photos import photograph
from tests.sql.rows import DEFAULTS, image_id, put, put_images

IN_GROUP = 3
FASTDUP_BYTES_PER_ROW = 0.9e6 / 20
COMMAND = """
import json, resource, sys
from pathlib import Path
from imagelake.cli import main
code = main(sys.argv[1:])
line = [text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM:")]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"rss_mib": int(line[0].split()[1]) / 1024, "cpu_s": used.ru_utime + used.ru_stime}))
sys.exit(code)
"""


def thumbnails() -> list[tuple[bytes, int, int]]:
    """Some thumbnails as the lake has them."""
    found = []
    for seed in range(40):
        picture = Image.open(io.BytesIO(photograph(seed, (1024, 768)))).convert("RGB")
        picture.thumbnail((256, 256))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85, subsampling="4:2:0")
        found.append((file.getvalue(), *picture.size))
    return found


def make(folder: Path, groups: int) -> Lake:
    """A lake of that many groups, largest first of equal size, each picture with a thumbnail."""
    lake = create_lake(str(folder))
    ids = put_images(lake, range(groups * IN_GROUP))
    rows = [
        {"relation": "duplicates", "image_id": ids[n], "group_id": ids[n - n % IN_GROUP], "size": IN_GROUP,
         **({"role": "member", "via": "phash", "distance": 4.0} if n % IN_GROUP else {"role": "keeper"})}
        for n in range(len(ids))
    ]  # fmt: skip
    put(lake, "groups", rows)
    replace_rows(lake, DEFAULTS["run_id"], "thumbnails", {}, _jpegs(ids))
    return lake


def _jpegs(ids: list[str]) -> Iterator[pa.Table]:
    jpegs, schema = thumbnails(), table_def("thumbnails").schema
    for start in range(0, len(ids), 1_000):
        rows: list[dict[str, Any]] = []
        for n, image in enumerate(ids[start : start + 1_000]):
            jpeg, width, height = jpegs[(start + n) % len(jpegs)]
            row = {"image_id": image, "jpeg": jpeg, "width_px": width, "height_px": height}
            rows.append({name: {**DEFAULTS, **row}[name] for name in schema.names})
        yield pa.Table.from_pylist(rows, schema)


def run(lake: Lake, out: Path, groups: int) -> dict[str, float]:
    command = [sys.executable, "-c", COMMAND, "report", "--lake", lake.root, "--out", str(out)]
    began = time.perf_counter()
    done = subprocess.run([*command, "--gallery-groups", str(groups)], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "wall_s": time.perf_counter() - began}


def test_galleries(size: Size, tmp_path: Path) -> None:
    groups = size.of(250, 10_000)
    lake = make(tmp_path / "lake", groups)
    none = run(lake, tmp_path / "none", 0)
    few = run(lake, tmp_path / "few", groups // 10)
    every = run(lake, tmp_path / "all", groups)
    pages = sorted((tmp_path / "all/galleries").iterdir())
    jpegs = list((tmp_path / "all/thumbnails").rglob("*.jpg"))
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert text.count("<section") == groups
    assert text.count("<img ") == len(jpegs) == groups * IN_GROUP
    assert {path.stem for path in jpegs} == {image_id(n) for n in range(groups * IN_GROUP)}
    html = sum(page.stat().st_size for page in pages)
    say(
        {
            "name": "galleries",
            "groups": groups,
            "images": len(jpegs),
            "pages": len(pages),
            "wall_s": round(every["wall_s"], 2),
            "cpu_s": round(every["cpu_s"], 2),
            "cpu_s_without": round(none["cpu_s"], 2),
            "rss_mib": round(every["rss_mib"]),
            "rss_mib_of_a_tenth": round(few["rss_mib"]),
            "rss_mib_without": round(none["rss_mib"]),
            "html_kb_per_group": round(html / groups / 1000, 2),
            "largest_page_kb": round(max(page.stat().st_size for page in pages) / 1000),
            "jpeg_mb": round(sum(path.stat().st_size for path in jpegs) / 1e6, 1),
            "fastdup_html_kb_per_row": FASTDUP_BYTES_PER_ROW / 1000,
            "load": round(os.getloadavg()[0], 2),
            "versions": versions("duckdb", "jinja2"),
        }
    )
    assert html / groups < FASTDUP_BYTES_PER_ROW / 5
    assert every["rss_mib"] < 900  # DuckDB holds 512 MB of a result at most, and spills the rest
