"""Check that a lake is consistent.

Reads: all tables; the sizes of all files; with --deep every picture. Writes: nothing.
Usage: imagelake check --lake LAKE [--deep] [--json]
Exit code 7 where a check fails; the offending rows are shown.
"""

import json
import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.lake.checks import described, raise_if_failed, run_checks
from imagelake.lake.lake import Lake

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake check`."""

    lake: str = lake_option()
    deep: bool = option("read every picture and compare its SHA-256 with its name", False)
    json: bool = option("print one line of JSON", False)


def run(config: Config, lake: Lake) -> None:
    """Run the checks, say what they found."""
    findings = []
    for finding in run_checks(lake, deep=config.deep):
        findings.append(finding)
        if not config.json:
            print(described(finding), flush=True)  # noqa: T201 (the command's output)
    if config.json:
        checks = [{"name": f.name, "rows": f.count, "first": f.rows.to_pylist()} for f in findings]
        print(json.dumps({"passed": all(f.passed for f in findings), "checks": checks}, default=str))  # noqa: T201
    raise_if_failed(findings)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake check"))
