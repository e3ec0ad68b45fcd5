"""Query a lake with SQL.

Reads: any table or view; every table of the lake is a view, and `sql/views` come on top. Writes: nothing in the lake.
Usage: imagelake sql --lake LAKE "select format, count(*) from images group by all" [--format csv]
Without a statement: an interactive prompt, or the statements that come through a pipe.
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.prompt import Prompt
from imagelake.lake.results import FORMATS, open_output, write_result
from imagelake.lake.script import parameters_of, read_statement, run_query, run_script
from imagelake.lake.session import Session
from imagelake.lake.startup import startup_script

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake sql`."""

    statement: str = option("the statement, or several with ; between", "", positional=True, nargs="?")
    lake: str = lake_option()
    file: str | None = option(
        "file with the statements, or one of sql/curation by its name, such as curation/outliers", None
    )
    format: str = option("table (up to 1,000 rows), csv, json or parquet", "table", choices=FORMATS)
    output: str | None = option("file to write to (default: standard output)", None)
    as_of: str | None = option(
        "see the lake as it was: ISO 8601 time, run_id, or Delta version number", None, metavar="WHEN"
    )
    param: tuple[str, ...] = option("value of $NAME in the statement; repeatable", (), metavar="NAME=VALUE")
    init: bool = option("print a script that opens the lake in your own duckdb program", False)


def run(config: Config, lake: Lake) -> None:
    """Run the statements and write what they give, or prompt for them."""
    text = _statements(config)
    parameters = parameters_of(config.param)
    with open_output(config.output, "table" if config.init else config.format) as out:
        if config.init:
            out.write(startup_script(lake).encode())
            return
        with Session(lake, config.as_of) as session:
            if text is None:
                Prompt(session, config.format, out).run()
            elif config.format == "table":
                for rows in run_script(session, text, parameters):
                    write_result(rows, "table", out)
            else:
                write_result(run_query(session, text, parameters), config.format, out)


def _statements(config: Config) -> str | None:
    """The text to run; None means the prompt.

    Raises:
        UsageError: two texts are given, or the file cannot be read.
    """
    if bool(config.statement) + (config.file is not None) + config.init > 1:
        raise UsageError("give one of: a statement, --file, --init")
    if config.file is None:
        return config.statement or None
    return read_statement(config.file)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake sql"))
