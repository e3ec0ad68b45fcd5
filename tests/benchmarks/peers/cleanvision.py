"""CleanVision's exact and near duplicates (MD5 of the file, pHash of the pixels) of a folder."""

import contextlib
import importlib.metadata
import io
import json
import os
import resource
import sys
import time


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    folder = sys.argv[1]
    with contextlib.redirect_stdout(io.StringIO()):
        sys.path.pop(0)  # this folder holds a module of the same name
        from cleanvision import Imagelab

        began, wall = cpu(), time.perf_counter()
        lab = Imagelab(data_path=folder)
        lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
        used, wall = cpu() - began, time.perf_counter() - wall
    sets = {
        kind: [sorted(map(os.path.basename, group)) for group in lab.info[kind]["sets"]]
        for kind in ("exact_duplicates", "near_duplicates")
    }
    version = importlib.metadata.version("cleanvision")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "rows": len(lab.issues), **sets, "version": version}))


if __name__ == "__main__":
    main()
