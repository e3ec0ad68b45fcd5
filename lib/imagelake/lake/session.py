"""SQL over a lake: every table as a DuckDB view, plus `sql/views`, opened only when a statement names it.

Local tables are read by DuckDB's own Parquet reader over exactly the files of the Delta snapshot; tables in an
object store, and tables that gained columns, through delta-rs and Arrow, with the same credentials as writing.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from imagelake.errors import LakeNotFound, QueryError, UsageError
from imagelake.lake.lake import EVOLVED, Lake
from imagelake.lake.storage import first_line, is_remote, spill_folder
from imagelake.lake.tables import table_def, table_names

_CATALOGUE = {"information_schema", "duckdb_views", "duckdb_tables", "duckdb_columns"}  # these list everything
SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def sql_files(folder: str) -> dict[str, str]:
    """The statements of `sql/<folder>`: name -> text, sorted by name."""
    files = (f for f in resources.files(f"imagelake.sql.{folder}").iterdir() if f.name.endswith(".sql"))
    return {f.name.removesuffix(".sql"): f.read_text(encoding="utf-8") for f in sorted(files, key=lambda f: f.name)}


def one_line(error: duckdb.Error) -> str:
    """DuckDB's message without the echo of the statement, but with its hint."""
    text, _, _ = str(error).strip().partition("\n\nLINE")
    return " ".join(text.split())


def newest(name: str) -> str:
    """The query that gives the rows of the newest extractor version of a table; without versions, all rows."""
    key = table_def(name).key
    if "version" not in key:
        return f'select * from raw."{name}"'
    rest = ", ".join(f'"{k}"' for k in key if k != "version")
    return f'select * from raw."{name}" qualify row_number() over (partition by {rest} order by version desc) = 1'


class Session:
    """A DuckDB connection that sees a lake.

    Args:
        lake: the lake.
        as_of: None for now; a timestamp (ISO 8601, UTC unless it says otherwise), a Delta version number (tables
            with fewer versions at their last one), or a run_id (the versions that the run recorded).
        tables: tables already opened, used instead of the latest ones.
    """

    def __init__(self, lake: Lake, as_of: str | None = None, tables: Mapping[str, DeltaTable] | None = None) -> None:
        self.con = duckdb.connect(config={**SETTINGS, "temp_directory": spill_folder()})
        self.con.execute("set timezone = 'UTC'")
        self.con.execute("set enable_progress_bar = false")  # it goes to standard output, which is for results
        self.con.execute("create schema raw")
        self._lake = lake
        self._open = {name.lower(): table for name, table in (tables or {}).items()}
        self._as_of = _AsOf(lake, as_of) if as_of else None
        self._views = sql_files("views")
        self._ready: set[str] = set()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exc: object) -> None:
        self.con.close()

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        """Run one statement; `$name` parameters are bound, never formatted in.

        Raises:
            QueryError: the statement is wrong.
        """
        try:
            self.prepare(sql)
            return self.con.execute(sql, parameters) if parameters else self.con.execute(sql)
        except duckdb.Error as error:
            raise QueryError(self._told(error)) from error

    def _told(self, error: duckdb.Error) -> str:
        """The message of an error; for a table that does not exist, with the nearest name of the lake."""
        text = one_line(error)
        missing = re.match(r"Catalog Error: Table with name (\S+) does not exist!", text)
        if not missing:
            return text
        near = difflib.get_close_matches(missing[1].lower(), [*table_names(), *self._views], n=1)
        return f"{missing[0]} " + (f'Did you mean "{near[0]}"?' if near else ".tables at the prompt lists them")

    def arrow(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Run one statement and return all rows."""
        return self.execute(sql, parameters).to_arrow_table()

    def batches(
        self, sql: str, parameters: Mapping[str, object] | None = None, rows: int = 10_000
    ) -> Iterator[pa.RecordBatch]:
        """Run one statement and stream its rows."""
        yield from self.execute(sql, parameters).to_arrow_reader(rows)

    def prepare(self, sql: str) -> None:
        """Open the tables and views that a statement names; all of them when that cannot be told."""
        for name in self._mentioned(sql):
            self._define(name)

    def _mentioned(self, sql: str) -> list[str]:
        known = {*table_names(), *self._views}
        try:
            named = {
                str(n).rpartition(".")[2].strip('"').lower() for n in self.con.get_table_names(sql, qualified=True)
            }
        except duckdb.Error:
            named = set()
        words = set(re.findall(r"\w+", sql.lower()))
        if words & _CATALOGUE or (not named and words & {"show", "describe", "summarize"}):
            return sorted(known)
        return sorted(known & (named | words))

    def _define(self, name: str) -> None:
        if name in self._ready:
            return
        self._ready.add(name)
        if name in self._views:
            self.prepare(self._views[name])
            self.con.execute(f'create or replace view "{name}" as {self._views[name]}')
        else:
            self._define_table(name)

    def _define_table(self, name: str) -> None:
        definition = table_def(name)
        try:
            table = self._table(name)
        except LakeNotFound:  # a table of a newer imagelake, or not yet there at that time
            table = None
        paths = table.file_uris() if table is not None else []
        if table is None or not paths:
            nothing = ", ".join(f'null::{kind} as "{c}"' for c, kind in definition.sql_types.items())
            relation = f"(select {nothing} where false)"
        elif is_remote(self._lake.root) or EVOLVED in table.metadata().configuration:
            self.con.register(f"arrow_{name}", table.to_pyarrow_dataset())
            relation = f'"arrow_{name}"'
        else:
            files = ", ".join("'" + unquote(p.removeprefix("file://")).replace("'", "''") + "'" for p in paths)
            relation = f"read_parquet([{files}])"
        self.con.execute(f'create or replace view raw."{name}" as select * from {relation}')
        self.con.execute(f'create or replace view "{name}" as {self._newest(name, table)}')

    def _newest(self, name: str, table: DeltaTable | None) -> str:
        """The rows of the newest extractor version; without a sort where the files hold one version only."""
        if table is None or _single_version(table):
            return f'select * from raw."{name}"'
        return newest(name)

    def _table(self, name: str) -> DeltaTable:
        if name not in self._open:
            table = self._lake.delta(name)
            if self._as_of is not None:
                self._as_of.apply(name, table)
            self._open[name] = table
        return self._open[name]


def _single_version(table: DeltaTable) -> bool:
    actions = table.get_add_actions(flatten=True)
    if "min.version" not in actions.schema.names:
        return False
    bounds = {*actions.column("min.version").to_pylist(), *actions.column("max.version").to_pylist()}
    return len(bounds) == 1 and None not in bounds


class _AsOf:
    """Time travel: moves a table to where it was."""

    def __init__(self, lake: Lake, text: str) -> None:
        self._version = int(text) if text.isdecimal() else None
        self._moment: datetime | None = None
        self._versions: dict[str, int] = {}
        if self._version is None:
            self._moment = _timestamp(text)
            if self._moment is None:
                self._versions = _versions_of_run(lake, text)

    def apply(self, name: str, table: DeltaTable) -> None:
        """Load the version wanted.

        Raises:
            LakeNotFound: the table did not exist then.
        """
        if self._moment is not None:
            first = table.history()[-1]["timestamp"]
            if self._moment.timestamp() * 1000 < first:
                raise LakeNotFound(f"table {name} did not exist at {self._moment.isoformat()}")
        wanted: int | datetime = self._moment or self._versions.get(name, 0)
        if self._version is not None:
            wanted = min(self._version, table.version())
        try:
            table.load_as_version(wanted)
        except DeltaError as error:
            raise UsageError(f"--as-of: table {name}: {first_line(error)}") from error


def _timestamp(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _versions_of_run(lake: Lake, run_id: str) -> dict[str, int]:
    with Session(lake) as session:
        rows = session.execute(
            "select table_versions from runs where run_id = $run_id and status <> 'running'", {"run_id": run_id}
        ).fetchall()
    if not rows:
        raise UsageError(f"--as-of {run_id}: give a Delta version number, an ISO 8601 time or a run_id of table runs")
    versions: dict[str, Any] = rows[0][0] or {}
    return versions
