"""The interactive prompt of `imagelake sql`: statements end with `;`, commands begin with a dot."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import duckdb

from imagelake.errors import ImagelakeError, QueryError
from imagelake.lake.results import write_result
from imagelake.lake.script import run_script
from imagelake.lake.session import Session, sql_files
from imagelake.lake.tables import table_names

HELP = """\
.tables            tables and views
.schema [NAME]     columns of a table or view, or of all
.help              this list
.quit              leave (also Ctrl-D)
Anything else is SQL, up to a semicolon.
"""
HISTORY_LINES = 1_000


class Prompt:
    """Reads statements from a terminal or a pipe and shows their results; a mistake does not end it.

    Args:
        session: the lake.
        kind: format of the results.
        out: takes the results.
    """

    def __init__(self, session: Session, kind: str, out: BinaryIO) -> None:
        self._session = session
        self._kind = kind
        self._out = out
        self._waiting = ""

    def run(self) -> None:
        """Read until the end.

        Raises:
            QueryError: statements that came through a pipe failed; told after the last one.
        """
        failed = 0
        is_terminal = sys.stdin.isatty()
        for text in self._statements(self._typed() if is_terminal else iter(sys.stdin)):
            try:
                self._do(text)
            except ImagelakeError as error:
                failed += 1
                self._out.flush()
                print(f"imagelake: {error}", file=sys.stderr)  # noqa: T201 (shown to the person at the prompt)
            except KeyboardInterrupt:
                self._say("stopped\n")
        if failed and not is_terminal:
            raise QueryError(f"{failed} of the statements failed")

    def _do(self, text: str) -> None:
        word, _, rest = text.strip().rstrip(";").partition(" ")
        if word == ".help":
            self._say(HELP)
        elif word == ".tables":
            self._say("".join(f"{name}\n" for name in _names()))
        elif word == ".schema":
            self._schema(rest.strip())
        elif word.startswith("."):
            raise QueryError(f"no command {word}: .help lists them")
        else:
            for rows in run_script(self._session, text, {}):
                write_result(rows, self._kind, self._out)

    def _schema(self, name: str) -> None:
        if name and name not in _names():
            raise QueryError(f"no table or view {name}: .tables lists them")
        for each in [name] if name else _names():
            columns = self._session.execute(f'describe "{each}"').fetchall()
            self._say(f"{each}\n" + "".join(f"  {column[0]}  {column[1].lower()}\n" for column in columns))

    def _say(self, text: str) -> None:
        self._out.write(text.encode(errors="replace"))
        self._out.flush()

    def _statements(self, lines: Iterator[str]) -> Iterator[str]:
        """Complete statements and commands."""
        for line in lines:
            if not self._waiting and line.startswith("."):
                if line.split()[0] in (".quit", ".exit"):
                    return
                yield line
                continue
            self._waiting = (self._waiting + line.rstrip("\n") + "\n").lstrip()
            if _is_complete(self._waiting):
                text, self._waiting = self._waiting, ""
                yield text
        if self._waiting.strip():
            yield self._waiting

    def _typed(self) -> Iterator[str]:
        """Lines from the terminal, with history."""
        with _history():
            while True:
                try:
                    line = input("   ...> " if self._waiting else "lake=> ")
                except EOFError:
                    self._say("\n")
                    return
                except KeyboardInterrupt:  # forget what was typed so far, as shells do
                    self._waiting, line = "", ""
                    self._say("\n")
                yield line


def _names() -> list[str]:
    return sorted({*table_names(), *sql_files("views")})


def _is_complete(text: str) -> bool:
    """Whether the text ends in a semicolon that ends a statement, not inside quotes or a comment."""
    if not text.rstrip().endswith(";"):
        return False
    try:
        duckdb.extract_statements(text)
    except duckdb.Error as error:
        return "unterminated" not in str(error)
    return not text.rstrip().rpartition("\n")[2].lstrip().startswith("--")


def history_file() -> Path:
    """Where the prompt keeps its history: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "imagelake" / "sql_history"


@contextmanager
def _history() -> Iterator[None]:
    """Line editing with the history of earlier sessions; without a writable cache, with this session's only."""
    import readline  # noqa: PLC0415 (of use in a terminal only, and it looks at the terminal when imported)

    path = history_file()
    with suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
