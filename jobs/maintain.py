"""Compact small files, remove leftovers, verify the bytes.

Reads: the files of all tables. Writes: larger files with the same rows, checkpoints; deletes files that nothing
refers to and that are older than the retention. Every row stays, those of superseded extractor versions included.
Usage: imagelake maintain --lake LAKE [--compact] [--checkpoint] [--vacuum] [--verify] (none of them: all)
"""

import json
import sys
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from imagelake.command import lake_option, option, run_job
from imagelake.lake import maintenance
from imagelake.lake.checks import Finding, described, raise_if_failed, run_checks
from imagelake.lake.lake import Lake
from imagelake.lake.maintenance import Upkeep
from imagelake.lake.results import text_table
from imagelake.lake.tables import table_names

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake maintain`."""

    lake: str = lake_option()
    compact: bool = option("join small files of the tables", False)
    checkpoint: bool = option("write checkpoints, so that tables open faster", False)
    vacuum: bool = option("delete files that nothing refers to", False)
    verify: bool = option("run the checks of `imagelake check`", False)
    retention_hours: int = option("vacuum deletes only what is older; time travel reaches back so far", 168)
    json: bool = option("print one line of JSON", False)


def run(config: Config, lake: Lake) -> None:
    """Compact, checkpoint, vacuum, verify."""
    if not (config.compact or config.checkpoint or config.vacuum or config.verify):
        config = replace(config, compact=True, checkpoint=True, vacuum=True, verify=True)
    if config.vacuum:
        maintenance.require_safe(lake, config.retention_hours)
    work = [_upkeep(config, lake, name) for name in table_names()]
    if config.vacuum:
        files, freed = maintenance.vacuum_blobs(lake, config.retention_hours)
        work.append(Upkeep("blobs", removed_files=files, freed_bytes=freed))
    findings = list(run_checks(lake)) if config.verify else []
    _tell(config, work, findings)
    raise_if_failed(findings)


def _upkeep(config: Config, lake: Lake, name: str) -> Upkeep:
    done = maintenance.compact(lake, name) if config.compact else Upkeep(name)
    if config.checkpoint:
        maintenance.checkpoint(lake, name)
    if config.vacuum:
        done.removed_files, done.freed_bytes = maintenance.vacuum(lake, name, config.retention_hours)
    return done


def _tell(config: Config, work: list[Upkeep], findings: list[Finding]) -> None:
    if config.json:
        failed = [f.name for f in findings if not f.passed]
        print(json.dumps({"tables": [asdict(w) for w in work], "failed_checks": failed}))  # noqa: T201
        return
    if config.compact or config.vacuum:
        print(text_table(pa.Table.from_pylist([asdict(w) for w in work])), end="")  # noqa: T201
    if config.checkpoint:
        print(f"{len(table_names())} checkpoints written")  # noqa: T201
    for finding in findings:
        print(described(finding))  # noqa: T201


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake maintain"))
