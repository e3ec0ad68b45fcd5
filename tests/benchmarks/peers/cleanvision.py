"""CleanVision on a folder: exact and near duplicates (MD5 of the file, pHash of the pixels), or all it looks for."""

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
    folder, processes = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    wanted = {"exact_duplicates": {}, "near_duplicates": {}} if processes == 1 else None  # None: all issues
    with contextlib.redirect_stdout(io.StringIO()):
        sys.path.pop(0)  # this folder holds a module of the same name
        from cleanvision import Imagelab

        began, wall = cpu(), time.perf_counter()
        lab = Imagelab(data_path=folder)
        lab.find_issues(wanted, n_jobs=processes, verbose=False)
        used, wall = cpu() - began, time.perf_counter() - wall
    sets = {
        kind: [sorted(map(os.path.basename, group)) for group in lab.info[kind]["sets"]]
        for kind in ("exact_duplicates", "near_duplicates")
    }
    scores = {name: list(lab.issues[name]) for name in lab.issues.columns if name.endswith("_score")}
    names = list(map(os.path.basename, lab.issues.index))
    version = importlib.metadata.version("cleanvision")
    facts = {"cpu": used, "start": began, "wall": wall, "rows": len(lab.issues), **sets, "version": version}
    print(json.dumps({**facts, "names": names, "scores": scores}))


if __name__ == "__main__":
    main()
