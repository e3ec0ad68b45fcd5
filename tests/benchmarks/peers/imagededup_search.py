"""imagededup's search for hashes within a distance: a .npy file of uint64 and the distance in, pairs out.

Its fastest method, as `find_duplicates` takes by default. The modules are imported without the packages' `__init__`,
which loads torch and fetches weights.
"""

import importlib.metadata
import json
import pathlib
import resource
import sys
import time
import types


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    file, distance, output = sys.argv[1:]
    sys.path.pop(0)  # this folder holds a module of the same name
    import imagededup

    for name in ("methods", "utils"):
        package = types.ModuleType(f"imagededup.{name}")
        package.__path__ = [str(pathlib.Path(imagededup.__file__).parent / name)]
        sys.modules[package.__name__] = package
    import numpy as np
    from imagededup.methods import hashing

    hashes = {str(i): f"{h:016x}" for i, h in enumerate(np.load(file).tolist())}
    began, wall = cpu(), time.perf_counter()
    found = hashing.PHash(verbose=False).find_duplicates(encoding_map=hashes, max_distance_threshold=int(distance))
    used, wall = cpu() - began, time.perf_counter() - wall
    pairs = sorted((int(a), int(b)) for a, others in found.items() for b in others if int(a) < int(b))
    np.save(output, np.array(pairs, np.int64).reshape(-1, 2))
    version = importlib.metadata.version("imagededup")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "pairs": len(pairs), "version": version}))


if __name__ == "__main__":
    main()
