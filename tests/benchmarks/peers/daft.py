"""Daft: read, decode, perceptual hash, resize to 256 px, encode as JPEG, write Parquet.

The table is written in the same plan, so that its optimizer cannot leave anything out; small morsels keep both cores
busy (its default leaves a few hundred rows to one).
"""

import importlib.metadata
import json
import resource
import sys
import time


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    folder, table = sys.argv[1:]
    sys.path.pop(0)  # this folder holds a module of the same name
    import daft
    from daft import col
    from daft.functions import decode_image, encode_image, image_hash, resize

    daft.context.set_execution_config(default_morsel_size=32)
    began, wall = cpu(), time.perf_counter()
    frame = daft.from_glob_path(f"{folder}/*.jpg")
    frame = frame.with_column("image", decode_image(col("path").download()))
    small = resize(col("image"), 256, 192)
    frame = frame.select(
        "path",
        image_hash(col("image"), method="phash").alias("phash"),
        encode_image(small, "jpeg").alias("thumbnail"),
    )
    frame.write_parquet(table)
    used, wall = cpu() - began, time.perf_counter() - wall
    version = importlib.metadata.version("daft")
    print(json.dumps({"cpu": used, "start": began, "wall": wall, "version": version}))


if __name__ == "__main__":
    main()
