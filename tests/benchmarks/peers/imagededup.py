"""imagededup's PHash or DHash of every picture of a folder.

Importing `imagededup.methods` loads torch and fetches the weights of a network from the internet; the hashes need
neither, so their modules are imported without the packages' `__init__`.
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
    folder, method = sys.argv[1:]
    sys.path.pop(0)  # this folder holds a module of the same name
    import imagededup

    for name in ("methods", "utils"):
        package = types.ModuleType(f"imagededup.{name}")
        package.__path__ = [str(pathlib.Path(imagededup.__file__).parent / name)]
        sys.modules[package.__name__] = package
    from imagededup.methods import hashing

    began, wall = cpu(), time.perf_counter()
    hashes = getattr(hashing, method)(verbose=False).encode_images(image_dir=folder, num_enc_workers=0)
    used, wall = cpu() - began, time.perf_counter() - wall
    version = importlib.metadata.version("imagededup")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "hashes": hashes, "version": version}))


if __name__ == "__main__":
    main()
