"""Table definitions: DDL files in, Arrow schemas, keys, checks and comments out.

DuckDB itself parses `schemas/*.sql`; nothing else lists columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

KEY_SEPARATOR = "\x1f"
_COLUMNS = """
select table_name, column_name, data_type, is_nullable, comment from duckdb_columns() order by table_name, column_index
"""
_CONSTRAINTS = "select table_name, constraint_type, expression, constraint_column_names from duckdb_constraints()"


@dataclass(frozen=True)
class TableDef:
    """One table: `schema` in types that Delta accepts, `key` the grain, `checks` as SQL expressions."""

    name: str
    comment: str
    schema: pa.Schema
    key: tuple[str, ...]
    not_null: tuple[str, ...]
    checks: tuple[str, ...]
    comments: dict[str, str]
    sql_types: dict[str, str]


def table_names() -> list[str]:
    """Names of all tables, sorted."""
    files = resources.files("imagelake.schemas").iterdir()
    return sorted(f.name.removesuffix(".sql") for f in files if f.name.endswith(".sql"))


def table_def(name: str) -> TableDef:
    """The definition of one table.

    Raises:
        KeyError: no such table is defined.
    """
    return _definitions()[name]


@cache
def _definitions() -> dict[str, TableDef]:
    files = resources.files("imagelake.schemas")
    return parse({name: files.joinpath(f"{name}.sql").read_text(encoding="utf-8") for name in table_names()})


def statistics_columns(definition: TableDef) -> list[str]:
    """The columns that queries skip files by: text keys and integers."""
    schema = definition.schema
    return [
        f.name
        for f in schema
        if pa.types.is_integer(f.type) or (f.name in definition.key and pa.types.is_string(f.type))
    ]


def parse(statements: Mapping[str, str]) -> dict[str, TableDef]:
    """The definitions of tables, from the statements that create each of them.

    All at once: every question to DuckDB's catalogue takes milliseconds.
    """
    with duckdb.connect() as con:
        con.execute("\n".join(statements.values()))
        comments = dict(con.execute("select table_name, comment from duckdb_tables()").fetchall())
        columns, constraints = (_by_table(con, sql) for sql in (_COLUMNS, _CONSTRAINTS))
        return {
            name: TableDef(
                name=name,
                comment=comments[name] or "",
                schema=pa.schema(
                    _delta_field(field, nullable=nullable)
                    for field, (_, _, nullable, _) in zip(
                        con.table(name).limit(0).to_arrow_table().schema, columns[name], strict=True
                    )
                ),
                key=tuple(next(of for kind, _, of in constraints[name] if kind == "PRIMARY KEY")),
                not_null=tuple(column for column, _, nullable, _ in columns[name] if not nullable),
                checks=tuple(expression for kind, expression, _ in constraints[name] if kind == "CHECK"),
                comments={column: comment or "" for column, _, _, comment in columns[name]},
                sql_types={column: sql_type for column, sql_type, _, _ in columns[name]},
            )
            for name in statements
        }


def _by_table(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a query without their first column, by its value."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, *row in con.execute(sql).fetchall():
        found.setdefault(table, []).append(tuple(row))
    return found


def _delta_field(field: pa.Field, *, nullable: bool) -> pa.Field:
    return pa.field(field.name, _delta_type(field.type), nullable=nullable)


def _delta_type(kind: pa.DataType) -> pa.DataType:
    """The type as Delta gives it back: UTC microseconds, list elements named `element`."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", _delta_type(kind.value_type)))
    return kind


class InvalidRows(ValueError):
    """Rows break their table's definition: a bug in the code that made them."""


def to_table(definition: TableDef, rows: Iterable[dict[str, object]]) -> pa.Table:
    """Rows as dictionaries -> an Arrow table in the table's schema; missing keys are null."""
    return pa.Table.from_pylist(list(rows), schema=definition.schema)


def validate(definition: TableDef, table: pa.Table, con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Cast to the table's schema and hold NOT NULL, CHECK and uniqueness within the batch.

    Args:
        definition: the table.
        table: the rows; columns in any order.
        con: any connection, used to evaluate the checks.

    Raises:
        InvalidRows: names the table, the rule and an offending row.
    """
    try:
        table = table.select(definition.schema.names).cast(definition.schema, safe=True)
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise InvalidRows(f"{definition.name}: {error}") from error
    for column in definition.not_null:
        if table[column].null_count:
            raise InvalidRows(f"{definition.name}.{column}: null in a column that is not null")
    # The expressions come from our own DDL files, never from users. A null passes a CHECK, as in SQL. Keys are compared
    # here: planning a statement costs more than looking at a few hundred rows.
    con.register("batch", table)
    passed = " and ".join(["true", *(f"coalesce({check}, true)" for check in definition.checks)])
    held = con.execute(f"select coalesce(bool_and({passed}), true) from batch").fetchone()
    if held != (True,) or len(set(row_keys(table, definition.key))) != table.num_rows:
        _name_the_offender(definition, con, ", ".join(f'"{k}"' for k in definition.key))
    con.unregister("batch")
    return table


def row_keys(rows: pa.Table, key: Sequence[str]) -> list[str]:
    """The primary key of every row as one string."""
    parts = [pc.cast(rows[column].combine_chunks(), pa.string()) for column in key]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, KEY_SEPARATOR)
    keys: list[str] = joined.to_pylist()
    return keys


def _name_the_offender(definition: TableDef, con: duckdb.DuckDBPyConnection, keys: str) -> None:
    rules = [f"where not coalesce({check}, true)" for check in definition.checks]
    rules.append(f"group by {keys} having count(*) > 1")
    for rule in rules:
        bad = con.execute(f"select {keys} from batch {rule} limit 1").fetchone()
        if bad is not None:
            raise InvalidRows(f"{definition.name} breaks {rule!r}: {str(bad)[:300]}")
