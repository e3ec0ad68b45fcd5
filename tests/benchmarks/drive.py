"""A driver alone, as a process: hands all pending pictures of a lake to an engine whose stage only counts them.

Prints one line of JSON: pictures, batches, seconds, peak memory of this process in MiB.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from imagelake.engine.choose import batch_rows, choose_engine
from imagelake.extract import pictures
from imagelake.lake.lake import Lake
from imagelake.lake.pending import Output, PendingImages
from imagelake.lake.runs import counts_table
from imagelake.lake.session import Session
from tests.benchmarks.measure import peak_rss_mib


@dataclass(frozen=True)
class Count:
    """The stage."""

    pool: Literal["cpu", "model"] = "cpu"

    def open(self) -> Callable[[dict[str, pa.Table]], Iterator[dict[str, pa.Table]]]:
        return lambda batch: iter([{"_counts": counts_table(read=batch["work"].num_rows)}])


OUTPUTS = (
    Output("hashes", pictures.HASHES_WITHOUT_PIXEL_HASH),
    Output("exif", pictures.EXIF_VERSION, needs_pixels=False),
    Output("thumbnails", pictures.THUMBNAILS_VERSION),
)


def main() -> None:
    root, name = sys.argv[1:]
    lake = Lake(root)
    began = time.perf_counter()
    found = batches = 0
    tables = lake.ensure_tables({"images", "failures", "sightings", *(o.table for o in OUTPUTS)})
    with Session(lake, tables=tables) as session:
        pending = PendingImages(session, "extract", pictures.VERSION, OUTPUTS, retry_failed=False)
        engine = choose_engine(name, pending.count, None, 2)
        rows = batch_rows(engine, pending.count, 256)
        for result in engine.run(({"work": batch} for batch in pending.batches(rows)), [Count()]):
            found += result["_counts"]["read"][0].as_py()
            batches += 1
    seconds = round(time.perf_counter() - began, 1)
    print(json.dumps({"images": found, "batches": batches, "seconds": seconds, "peak_mib": round(peak_rss_mib())}))


if __name__ == "__main__":
    main()
