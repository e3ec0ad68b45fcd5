"""A job's command line: options from its Config, the report on standard output, errors as one line, exit codes.

Every field of a Config becomes an option; `field(metadata=...)` gives `help`, and `positional` or `choices`.
A job is a module with `Config`, `run(config, lake)` and, where it does not open an existing lake, `opens`.
"""

import argparse
import dataclasses
import os
import signal
import sys
import types
import typing
from collections.abc import Sequence
from typing import Any

from imagelake.errors import ImagelakeError, Interrupted, UsageError

LAKE_VARIABLE = "IMAGELAKE_LAKE"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def option(help: str, default: Any = dataclasses.MISSING, **metadata: Any) -> Any:  # noqa: A002 (argparse's word)
    """A field of a Config with its help text."""
    described = {"help": help, **metadata}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=described)
    return dataclasses.field(default=default, metadata=described)


def lake_option() -> Any:
    """The field `lake` that every Config has."""
    return option(f"folder or s3:// prefix of the lake; {LAKE_VARIABLE} stands for it", "", metavar="LAKE")


def run_job(job: Any, argv: Sequence[str], prog: str) -> int:
    """Parse, open the lake, run, print; returns the exit code."""
    try:
        config, as_json = parse(job, argv, prog)
        report = job.run(config, _open(job, config))
    except ImagelakeError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail(Interrupted("stopped"))
    except BrokenPipeError:  # the reader of our output has closed it, as `| head` does
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if report is not None:
        print(report.to_json() if as_json else _sentence(report))  # noqa: T201 (the command's output)
    return 0


def parse(job: Any, argv: Sequence[str], prog: str) -> tuple[Any, bool]:
    """Options -> (Config, whether --json was given).

    Raises:
        UsageError: wrong options.
    """
    text = (job.__doc__ or "").strip()
    parser = _Parser(
        prog=prog, description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    hints = typing.get_type_hints(job.Config)
    for field in dataclasses.fields(job.Config):
        _add_option(parser, field, hints[field.name])
    if getattr(job, "REPORTS", True):
        parser.add_argument("--json", action="store_true", help="print the report of the run as one line of JSON")
    values = vars(parser.parse_args(list(argv)))
    as_json = getattr(job, "REPORTS", True) and bool(values.pop("json", False))
    values["lake"] = values["lake"] or os.environ.get(LAKE_VARIABLE, "")
    if not values["lake"]:
        raise UsageError(f"name the lake: --lake LAKE, or set {LAKE_VARIABLE}")
    config = job.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    return config, as_json


def _add_option(parser: argparse.ArgumentParser, field: dataclasses.Field[Any], kind: Any) -> None:
    metadata = dict(field.metadata)
    flag = "--" + field.name.replace("_", "-")
    settings: dict[str, Any] = {k: metadata[k] for k in ("help", "choices", "metavar") if k in metadata}
    settings["help"] = settings["help"].replace("%", "%%")
    if kind is bool:
        name = flag if not field.default else "--no-" + field.name.replace("_", "-")
        parser.add_argument(name, dest=field.name, action="store_false" if field.default else "store_true", **settings)
        return
    arguments = [a for a in typing.get_args(kind) if a is not types.NoneType]
    many = typing.get_origin(kind) is tuple
    settings["type"] = (arguments[0] if arguments else kind) if not many else arguments[0]
    settings["default"] = field.default
    if "metavar" not in settings and "choices" not in settings:
        settings["metavar"] = field.name.upper()
    if metadata.get("positional"):
        settings["nargs"] = metadata.get("nargs", "+" if many else None)
        parser.add_argument(field.name, **{k: v for k, v in settings.items() if v is not dataclasses.MISSING})
    else:
        short = [metadata["short"]] if "short" in metadata else []
        action = {"action": "append", "default": []} if many and not metadata.get("commas") else {}
        if metadata.get("commas"):
            settings["type"] = lambda text: [part.strip() for part in text.split(",") if part.strip()]
        parser.add_argument(*short, flag, **{**settings, **action})


def _open(job: Any, config: Any) -> Any:
    if hasattr(job, "opens"):
        return job.opens(config.lake)
    from imagelake.lake.lake import open_lake  # noqa: PLC0415 (--help must not wait for it)

    return open_lake(config.lake)


def _fail(error: ImagelakeError) -> int:
    text = " ".join(str(error).split())
    print(f"imagelake: {text}", file=sys.stderr)  # noqa: T201 (one line for the operator)
    return error.exit_code


def _sentence(report: Any) -> str:
    counts = (
        f"{report.read:,} read, {report.written:,} written,"
        f" {report.already_present:,} already present, {report.rejected:,} rejected"
    )
    lines = [f"{report.job}: {counts} in {report.seconds:.1f} s ({report.engine}, run {report.run_id})"]
    if report.rejected:
        why = f"select reason, count(*) from failures where run_id = '{report.run_id}' group by all"
        lines.append(f'why: imagelake sql "{why}"')
    if report.rejected_earlier:
        lines.append(f"rejected by earlier runs and not tried again: {report.rejected_earlier:,} (--retry-failed)")
    lines += [f"{key}: {value}" for key, value in report.details.items()]
    return "\n".join(lines)
