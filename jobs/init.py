"""Create a lake.

Writes: `lake.json` and an empty Delta table for every definition; completes a lake that lacks some.
Usage: imagelake init LAKE
"""

import sys
from dataclasses import dataclass

from imagelake.command import option, run_job
from imagelake.lake.lake import Lake, create_lake

REPORTS = False
opens = create_lake


@dataclass(frozen=True)
class Config:
    """Options of `imagelake init`."""

    lake: str = option("folder or s3:// prefix of the lake", "", positional=True, nargs="?", metavar="LAKE")


def run(config: Config, lake: Lake) -> None:
    """The lake is there by now; say so."""
    print(f"lake at {lake.root}: now `imagelake ingest --lake {config.lake} SOURCE...`")  # noqa: T201


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake init"))
