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
    "extract": "Describe every picture: hashes, EXIF, thumbnails, embeddings.",
    "sql": "Query a lake with SQL.",
    "search": "Find pictures by example, by id or by text.",
    "check": "Check that a lake is consistent.",
    "report": "Write an HTML report of a lake, and its tables as CSV.",
    "maintain": "Compact small files, remove leftovers, verify the bytes.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a job; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print(_help())  # noqa: T201 (the command's output)
        return 0
    if name == "--version":
        print(f"imagelake {__version__}")  # noqa: T201 (the command's output)
        return 0
    if name not in JOBS:
        print(f"imagelake: no job {name!r}: choose {', '.join(JOBS)} (see `imagelake --help`)", file=sys.stderr)  # noqa: T201
        return 2
    return run_job(importlib.import_module(f"imagelake.jobs.{name}"), arguments[1:], f"imagelake {name}")


def _help() -> str:
    jobs = "\n".join(f"  {name:<9} {line}" for name, line in JOBS.items())
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
