"""`curate neighbours` in a process of its own over a lake of vectors; prints seconds, peak memory and the report.

Usage: python -m tests.benchmarks.joins_million LAKE K FLAT_ROWS
"""

import json
import os
import sys

from imagelake.curate import shared
from imagelake.jobs import curate_neighbours
from imagelake.lake.lake import Lake
from tests.benchmarks.measure import cpu_seconds, peak_rss_mib


def main() -> None:
    root, k, shared.FLAT_ROWS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    report = curate_neighbours.run(curate_neighbours.Config(root, k=k), Lake(root))
    figures = {"written": report.written, "wall_s": report.seconds, "cpu_s": round(cpu_seconds())}
    print(json.dumps({**figures, "peak_mib": round(peak_rss_mib()), "load": os.getloadavg()[0], **report.details}))


if __name__ == "__main__":
    main()
