"""`harvest urls`, `download` and `extract --only exif` of a list, as a process: the work of a peer's download.

Arguments: list, new lake, `resize` or `keep`, workers, requests at a time. Prints one line of JSON as the peers do;
`work` is the wall time of the three jobs, `download` that of the second.
"""

import json
import sys
import time
from typing import Any

from imagelake.jobs import download, extract, harvest_urls
from imagelake.lake.lake import create_lake
from imagelake.lake.session import Session
from tests.benchmarks.measure import cpu_seconds, peak_rss_mib


def main() -> None:
    addresses, root, how, workers, connections = sys.argv[1:6]
    began, wall = cpu_seconds(), time.perf_counter()
    lake = create_lake(root)
    harvest_urls.run(harvest_urls.Config((addresses,), root, quiet=True), lake)
    given: dict[str, Any] = {"engine": "local", "workers": int(workers), "quiet": True}
    polite = {"allow_private": True, "rate": 0.0, "per_host": int(connections), "connections": int(connections)}
    resized: dict[str, Any] = {"resize": "keep_ratio", "size": 256, "quality": 95} if how == "resize" else {}
    report = download.run(download.Config(root, **given, **polite, **resized), lake)
    extract.run(extract.Config(root, only=("exif",), **given), lake)
    used, wall = cpu_seconds() - began, time.perf_counter() - wall
    with Session(lake) as session:
        sql = "select count(*), sum(length_bytes), (select count(*) from exif where model is not null) from images"
        images, size, with_exif = session.execute(sql).fetchall()[0]
    result = {
        "cpu": used,
        "start": began,
        "wall": wall,
        "work": wall,
        "download": report.seconds,
        "successes": report.written,
        "images": images,
        "bytes": int(size),
        "with_exif": with_exif,
        "peak_mib": round(peak_rss_mib()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
