"""The data dictionary: `python -m imagelake.lake.dictionary` prints docs/data-dictionary.md from the definitions."""

import sys
from collections.abc import Iterator

from imagelake.lake.session import sql_files
from imagelake.lake.tables import TableDef, table_def, table_names

_HEAD = """\
# Data dictionary

Made from `schemas/` and `sql/views/` by `python -m imagelake.lake.dictionary`.

A lake has these tables, each a Delta table in `tables/`. In SQL `T` shows the rows of the newest version of each
extractor, `raw.T` those of all versions. Times are UTC.
"""


def dictionary() -> str:
    """The dictionary as Markdown."""
    parts = [_HEAD, *("\n".join(_table(table_def(name))) for name in table_names()), "\n".join(_views())]
    return "\n".join(parts)


def _table(definition: TableDef) -> Iterator[str]:
    yield f"## {definition.name}\n"
    yield f"{definition.comment.rstrip('.')}. Key: {', '.join(f'`{k}`' for k in definition.key)}.\n"
    yield "| column | type | null | meaning |"
    yield "|---|---|---|---|"
    for column, kind in definition.sql_types.items():
        null = "" if column in definition.not_null else "yes"
        yield f"| `{column}` | {_type(kind)} | {null} | {_cell(definition.comments[column])} |"
    if definition.checks:
        yield "\nHeld at every write:\n"
        yield from (f"- `{check}`" for check in definition.checks)
    yield ""


def _views() -> Iterator[str]:
    yield "## Views\n"
    yield "| view | what it shows |"
    yield "|---|---|"
    for name, text in sql_files("views").items():
        yield f"| `{name}` | {_cell(text.partition(chr(10))[0].replace('-- grain:', 'One row per'))} |"
    yield ""


def _type(kind: str) -> str:
    return kind.lower().replace("timestamp with time zone", "timestamptz")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(dictionary())
