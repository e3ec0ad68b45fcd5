"""`imagelake JOB [options]`: finds the job and hands over; imports nothing that is slow before it knows which."""

import importlib
import sys
from collections.abc import Sequence

from imagelake import __version__
from imagelake.command import run_job

# The first line of each job's docstring; a test holds them equal.
JOBS = {
    "init": "Create a lake.",
    "ingest": "Bring pictures into a lake: folders, archives, S3 prefixes, lists of paths.",
    "harvest europeana": "Bring in Europeana's records by search, with rights, institutions and places of pictures.",
    "harvest europeana-collections": "List Europeana's data sets with pictures: size, aggregator, institution.",
    "harvest europeana-records": "Bring in single records of Europeana by id: every file, its size and rights.",
    "harvest flickr-search": "Bring in photos of Flickr by free-text search, with licence and EXIF.",
    "harvest flickr-group": "Bring in the photos of a Flickr group's pool, with licence and EXIF.",
    "harvest flickr-photos": "Bring in photos of Flickr by a file of ids, with licence and EXIF.",
    "harvest flickr-archive": "Bring in archives of the Flickr crawler: `<super>/<sub>/{images,exif}`.",
    "harvest mirflickr": "Bring in MIRFLICKR: EXIF, tags and annotations from its folder or archives.",
    "harvest urls": "Bring in lists of addresses: CSV, TSV, text, JSON, JSON lines, Parquet.",
    "download": "Fetch the pictures of records, politely: robots.txt, opt-outs, per-host limits, retries.",
    "extract": "Describe every picture: hashes, EXIF, thumbnails, quality, embeddings.",
    "sql": "Query a lake with SQL.",
    "search": "Find pictures by example, by id or by text.",
    "dedupe": "Find duplicates: equal pixels, look-alikes by hash and by embedding; nothing is deleted.",
    "curate neighbours": "Find the pictures most similar to each picture, once for all that needs them.",
    "curate clusters": "Group pictures by what they look like.",
    "curate map": "Lay pictures out in two dimensions, alike ones near each other.",
    "curate label-issues": "Find labels that are probably wrong.",
    "curate consensus": "Settle what several annotators say of the same pictures.",
    "curate fastdup": "Find duplicates with fastdup, where it is installed.",
    "dataset create": "Make a named, versioned data set with splits that do not leak.",
    "dataset show": "List the data sets, or show one.",
    "dataset diff": "Compare two versions of a data set.",
    "dataset export": "Write a data set for training: imagefolder, webdataset, parquet, huggingface, coco, yolo, csv.",
    "forget": "Take pictures out for good: rows, bytes, thumbnails; lists the exports that have them.",
    "check": "Check that a lake is consistent.",
    "report": "Write an HTML report of a lake, and its tables as CSV.",
    "maintain": "Compact small files, remove leftovers, verify the bytes.",
}

GROUPS = {
    "harvest": "Bring in records: Europeana, Flickr, MIRFLICKR, lists of addresses.",
    "curate": "Look for what is alike, odd or wrongly labelled.",
    "dataset": "Choose, split, compare and export data sets.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a job; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in GROUPS:
        if len(arguments) < 2 or arguments[1] in ("-h", "--help", "help"):
            print(_help_of(name))  # noqa: T201 (the command's output)
            return 0
        name = " ".join(arguments[:2])
    if name in ("-h", "--help", "help"):
        print(_help())  # noqa: T201 (the command's output)
        return 0
    if name == "--version":
        print(f"imagelake {__version__}")  # noqa: T201 (the command's output)
        return 0
    group, _, source = name.partition(" ")
    if name not in JOBS and group in GROUPS:
        known = ", ".join(job.removeprefix(f"{group} ") for job in JOBS if job.startswith(f"{group} "))
        print(f"imagelake: no {group} job {source!r}: choose {known}", file=sys.stderr)  # noqa: T201
        return 2
    if name not in JOBS:
        print(f"imagelake: no job {name!r}: choose {', '.join(JOBS)} (see `imagelake --help`)", file=sys.stderr)  # noqa: T201
        return 2
    rest = arguments[1 + name.count(" ") :]
    return run_job(importlib.import_module(module_of(name)), rest, f"imagelake {name}")


def module_of(job: str) -> str:
    """The module of a job: `imagelake.jobs.harvest_flickr_search` for `harvest flickr-search`."""
    return "imagelake.jobs." + job.translate(str.maketrans(" -", "__"))


def _help_of(group: str) -> str:
    jobs = {name.removeprefix(f"{group} "): line for name, line in JOBS.items() if name.startswith(f"{group} ")}
    width = max(map(len, jobs), default=0)
    lines = "\n".join(f"  {name:<{width}}  {line}" for name, line in jobs.items())
    return (
        f"imagelake {group}: {GROUPS[group]}\n\nusage: imagelake {group} JOB [options]\n\njobs:\n{lines}\n\n"
        f"`imagelake {group} JOB --help` shows the options of a job."
    )


def _help() -> str:
    shown = {name: line for name, line in JOBS.items() if name.partition(" ")[0] not in GROUPS}
    order = ("init", "ingest", "harvest", "download", "extract", "dedupe", "curate", "dataset")
    every = {**shown, **GROUPS}
    shown = {**{name: every[name] for name in order}, **every}
    jobs = "\n".join(f"  {name:<9} {line}" for name, line in shown.items())
    return (
        f"imagelake {__version__}: an image data lake\n\nusage: imagelake JOB [options]\n\njobs:\n{jobs}\n\n"
        "`imagelake JOB --help` shows the options of a job. Begin with:\n"
        "  imagelake init my-lake\n"
        "  imagelake ingest --lake my-lake photos/\n"
        "  imagelake extract --lake my-lake --embed descriptor\n"
        '  imagelake sql --lake my-lake "select format, count(*) from images group by all"'
    )


if __name__ == "__main__":
    sys.exit(main())
