"""Runs fastdup in its own environment: `python -I runner.py job.json`, plain Python 3.9 without imagelake.

In: a JSON file with `names` (n file names), `vectors` (.npy, float32 (n, d)) or `images` (a folder), `k`, `threshold`,
`threads`. Out: fastdup's CSV files in the folder `work` of the working directory, and `version.txt`.
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Run it; whatever goes wrong ends the process with a traceback, which the caller reads."""
    job = json.loads(Path(sys.argv[1]).read_text())
    import fastdup  # type: ignore[import-not-found] # noqa: PLC0415 (may be missing, which the caller tells)

    work = fastdup.create(work_dir=os.path.abspath("work"))  # noqa: PTH100 (fastdup wants a text)
    options = {"threshold": job["threshold"], "cc_threshold": job["threshold"], "num_threads": job["threads"]}
    # a picture is counted among its own neighbours
    options.update(nearest_neighbors_k=job["k"] + 1, overwrite=True)
    if job["vectors"]:
        import numpy  # noqa: ICN001, PLC0415 (those of the other environment)
        import pandas  # type: ignore[import-untyped] # noqa: ICN001, PLC0415

        work.run(
            annotations=pandas.DataFrame({"filename": job["names"]}), embeddings=numpy.load(job["vectors"]), **options
        )
    else:
        work.run(input_dir=job["images"], **options)
    Path("version.txt").write_text(importlib.metadata.version("fastdup"))


if __name__ == "__main__":
    main()
