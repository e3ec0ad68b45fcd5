"""img2dataset: a list of addresses into WebDataset shards: resized, hashed, with EXIF; or the bytes as they come.

Arguments: list (a text file), output folder, `resize` or `keep`, processes, threads.
"""

import contextlib
import importlib.metadata
import io
import json
import os
import resource
import sys
import time
from pathlib import Path


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def main() -> None:
    addresses, folder, how, processes, threads = sys.argv[1:6]
    sys.path.pop(0)  # this folder holds a module of the same name
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    with contextlib.redirect_stdout(io.StringIO()):
        from img2dataset import download

        began, wall = cpu(), time.perf_counter()
        keep = {"resize_mode": "no", "skip_reencode": True, "disable_all_reencoding": True}
        resized = {"resize_mode": "keep_ratio", "encode_quality": 95}
        download(
            url_list=addresses,
            output_folder=folder,
            output_format="webdataset",
            input_format="txt",
            processes_count=int(processes),
            thread_count=int(threads),
            image_size=256,
            number_sample_per_shard=500,
            compute_hash="sha256",
            extract_exif=True,
            timeout=20,
            enable_wandb=False,
            **(resized if how == "resize" else keep),
        )
        used, wall = cpu() - began, time.perf_counter() - wall
    stats = [json.loads(path.read_text()) for path in Path(folder).glob("*_stats.json")]
    shards = [(s["start_time"], s["end_time"]) for s in stats]
    result = {
        "cpu": used,
        "start": began,
        "wall": wall,
        "work": max(end for _, end in shards) - min(start for start, _ in shards),
        "successes": sum(s["successes"] for s in stats),
        "bytes": sum(p.stat().st_size for p in Path(folder).glob("*.tar")),
        "version": importlib.metadata.version("img2dataset"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
