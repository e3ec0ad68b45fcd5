"""fastdup's nearest neighbours of given vectors: a .npy file (n, d) of float32 and k in, from, to, cosine out."""

import contextlib
import importlib.metadata
import io
import json
import os
import pathlib
import resource
import sys
import tempfile
import time


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    vectors, k, output = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), pathlib.Path(sys.argv[3]).resolve()
    sys.path.pop(0)  # this folder holds a module of the same name
    home = tempfile.mkdtemp(dir=output.parent)
    # It reports to its makers, looks up its latest version, and writes to the home and the working folder.
    os.environ.update(SENTRY_OPT_OUT="1", FASTDUP_PRODUCTION="1", HOME=home)
    os.chdir(home)
    with contextlib.redirect_stdout(io.StringIO()):
        import fastdup
        import numpy as np
        import pandas as pd

        given = np.load(vectors)
        names = pd.DataFrame({"filename": [f"/{i}.jpg" for i in range(len(given))]})
        began, wall = cpu(), time.perf_counter()
        work = fastdup.create(work_dir=f"{home}/work")
        # Below `threshold` it drops what it has found.
        work.run(annotations=names, embeddings=given, nearest_neighbors_k=k, threshold=-1.0, overwrite=True)
        used, wall = cpu() - began, time.perf_counter() - wall
        found = pd.read_csv(f"{home}/work/similarity.csv")[["from", "to", "distance"]].to_numpy()
    np.save(output, found)
    version = importlib.metadata.version("fastdup")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "rows": len(found), "version": version}))


if __name__ == "__main__":
    main()
