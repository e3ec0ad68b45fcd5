"""imagededup's PHash or DHash of every picture of a folder."""

import importlib.metadata
import json
import resource
import sys
import time


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    folder, method = sys.argv[1:]
    sys.path.pop(0)  # this folder holds a module of the same name
    from imagededup import methods

    began, wall = cpu(), time.perf_counter()
    hashes = getattr(methods, method)(verbose=False).encode_images(image_dir=folder, num_enc_workers=0)
    used, wall = cpu() - began, time.perf_counter() - wall
    version = importlib.metadata.version("imagededup")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "hashes": hashes, "version": version}))


if __name__ == "__main__":
    main()
