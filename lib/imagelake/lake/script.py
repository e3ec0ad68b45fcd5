"""Scripts of SQL statements over a lake: which can run, with which parameters, and what a mistake is told.

In: text with one or more statements. Out: one reader of Arrow batches per statement that gives rows.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from imagelake.errors import QueryError, UsageError
from imagelake.lake.session import Session, one_line, sql_files
from imagelake.lake.tables import table_names

BATCH_ROWS = 10_000
_CHANGES = re.compile(
    r"\b(?:insert\s+(?:or\s+\w+\s+)?into|update|delete\s+from|truncate(?:\s+table)?|merge\s+into"
    r'|(?:alter|drop)\s+(?:table|view)(?:\s+if\s+exists)?)\s+(?:"?raw"?\.)?"?(\w+)"?',
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")


def read_statement(name: str) -> str:
    """The text of a file with statements; where there is no such file, one of `sql/curation` by its name.

    Args:
        name: a path, or `curation/leaks`, `sql/curation/leaks.sql`: the same wherever imagelake is installed.

    Raises:
        UsageError: neither is there, or the file cannot be read.
    """
    path = Path(name)
    ours = sql_files("curation")
    if not path.exists() and path.parent.name in ("", "curation") and path.stem in ours:
        return ours[path.stem]
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = difflib.get_close_matches(path.stem, ours, n=1)
        hint = f"; did you mean curation/{near[0]}?" if near else ""
        raise UsageError(f"--file {name}: {error}{hint}") from error


def statements(text: str) -> list[duckdb.Statement]:
    """The statements of a script.

    Raises:
        QueryError: the script cannot be parsed.
    """
    try:
        return list(duckdb.extract_statements(text))
    except duckdb.Error as error:
        raise QueryError(one_line(error)) from error


def run_script(session: Session, text: str, parameters: Mapping[str, object]) -> Iterator[pa.RecordBatchReader]:
    """Run a script; yields the result of every statement that gives rows, before the next one runs.

    Raises:
        QueryError: a statement is wrong, or would change a table of the lake.
        UsageError: a parameter is missing or is in no statement.
    """
    parsed = _checked(text, parameters)
    for statement in parsed:
        result = _run(session, statement, parameters)
        if result is not None:
            yield result


def run_query(session: Session, text: str, parameters: Mapping[str, object]) -> pa.RecordBatchReader:
    """Run a script whose last statement, and no other, gives rows; returns its result.

    Raises:
        QueryError: as `run_script`, and where there is not exactly one result.
        UsageError: as `run_script`.
    """
    *before, last = _checked(text, parameters)
    if not _gives_rows(last) or any(map(_gives_rows, before)):
        raise QueryError("the last statement, and no other, must give rows; --format table shows several results")
    for statement in before:
        _run(session, statement, parameters)
    return _run(session, last, parameters)


def _checked(text: str, parameters: Mapping[str, object]) -> list[duckdb.Statement]:
    parsed = statements(text)
    if not parsed:
        raise QueryError("no statement given")
    wanted = {name for statement in parsed for name in statement.named_parameters}
    if unused := sorted(set(parameters) - wanted):
        raise UsageError(f"--param {unused[0]}: the statement has no ${unused[0]}")
    if missing := sorted(wanted - set(parameters)):
        raise UsageError(f"the statement wants ${missing[0]}: give --param {missing[0]}=VALUE")
    return parsed


def _gives_rows(statement: duckdb.Statement) -> bool:
    # the type stubs of DuckDB mistake the elements of this list
    first: object = statement.expected_result_type[0]
    return first == duckdb.ExpectedResultType.QUERY_RESULT


def _run(
    session: Session, statement: duckdb.Statement, parameters: Mapping[str, object]
) -> pa.RecordBatchReader | None:
    _refuse_changes(statement)
    bound = {name: parameters[name] for name in statement.named_parameters}
    result = session.execute(statement.query, bound)
    if _gives_rows(statement):
        return result.to_arrow_reader(BATCH_ROWS)
    result.fetchall()
    return None


def _refuse_changes(statement: duckdb.Statement) -> None:
    """Tables of the lake are views here; DuckDB's own message would not say how they are changed."""
    kinds = duckdb.StatementType
    if statement.type in (kinds.SELECT, kinds.COPY, kinds.CREATE, kinds.SET, kinds.EXPLAIN, kinds.PRAGMA):
        return
    found = _CHANGES.search(statement.query)
    if found and found[1].lower() in {*table_names(), *sql_files("views")}:
        raise QueryError(f"{found[1]} belongs to the lake: its tables are changed by jobs only (ingest, extract, ...)")


def parameters_of(pairs: Sequence[str]) -> dict[str, object]:
    """`k=v` texts as parameters; plain decimal numbers are numbers, a value in double quotes stays text.

    Raises:
        UsageError: a text without `=`.
    """
    parameters: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {pair!r}: write NAME=VALUE")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> object:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    found = _NUMBER.fullmatch(text)
    if not found:
        return text
    return float(text) if found[2] else int(text)
