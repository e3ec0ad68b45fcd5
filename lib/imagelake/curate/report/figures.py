"""Figures of the report: statements of `sql/reports` in, tables for CSV and cells for the page out.

A statement says in its first lines what it is: `-- title:`, `-- grain:` and, where it is drawn, `-- chart: bars of
COLUMN`, `columns of COLUMN` or `map` (of columns kind, x and y, -1 to 1). Aggregation is SQL; what comes here has tens
of rows, a map some thousands.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from imagelake.lake.session import Session, sql_files

# Headings of the page, with the statements below each.
SECTIONS = {
    "The pictures": ("formats", "shapes", "megapixels", "file_sizes", "orientation"),
    "Quality": ("quality_scores", "quality_verdicts", "quality_damages"),
    "How they were taken": ("capture_dates", "cameras"),
    "What is known about them": ("coverage", "models"),
    "Alike and odd": ("map", "duplicates_by_kind", "near_duplicates", "duplicate_groups", "oddest", "clusters"),
    "Labels": ("labels", "class_balance", "label_issues", "label_classes", "annotators", "spurious"),
    "Data sets": ("datasets", "dataset_classes", "leaks"),
    "Where they come from": ("harvests", "records_by_institution", "records_by_licence"),
    "Downloads": ("fetches_by_host", "fetches_by_reason", "fetch_latency"),
    "What went wrong": ("failures",),
    "Runs": ("runs",),
}
OVERVIEW = "overview"
GRID = "thumbnail_grid"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_LONG_TEXT = 60
_GREY = ("others", "no label")
_ACRONYMS = {"id": "id", "px": "(px)", "s": "(s)"}


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown; `share` is the length of its bar in percent of the longest."""

    text: str
    is_number: bool
    share: float | None = None


@dataclass(frozen=True)
class Dots:
    """The points of one kind on a map: `path` draws them as SVG, `colour` is the number of their colour, 0 grey."""

    kind: str
    count: int
    colour: int
    path: str


@dataclass(frozen=True)
class Figure:
    """One figure: a table, drawn as bars inside it, as columns above it, or as a map in its place."""

    name: str
    title: str
    chart: str
    headings: list[str]
    rows: list[list[Cell]]
    table: pa.Table

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of the page."""
        has_times = any(pa.types.is_timestamp(field.type) for field in self.table.schema)
        is_long = any(len(cell.text) > _LONG_TEXT for row in self.rows for cell in row)
        return has_times or is_long or self.chart in ("columns", "map") or len(self.headings) > 4

    @property
    def summary(self) -> str:
        """What the columns show, in words."""
        tops = sorted(self.rows, key=lambda row: -max(c.share or 0 for c in row))[:3]
        return f"{self.title}: " + "; ".join(", ".join(c.text for c in row[:2]) for row in tops)

    @property
    def dots(self) -> list[Dots]:
        """The points of a map, kind by kind in the order of the table, in a square of 1,000 units."""
        kinds: dict[str, list[str]] = {}
        for row in self.table.select(["kind", "x", "y"]).to_pylist():
            x, y = round(500 + 480 * row["x"]), round(500 - 480 * row["y"])  # up is greater
            kinds.setdefault(row["kind"], []).append(f"M{x} {y}h0")
        coloured = [kind for kind in kinds if kind not in _GREY]
        return [
            Dots(kind, len(path), coloured.index(kind) + 1 if kind in coloured else 0, "".join(path))
            for kind, path in kinds.items()
        ]


def figure(session: Session, name: str) -> Figure:
    """Compute one figure."""
    text = sql_files("reports")[name]
    header = dict(re.findall(r"^-- (title|grain|chart): (.+)$", text, re.MULTILINE))
    table = session.arrow(text)
    chart, _, drawn = header.get("chart", "table").partition(" of ")
    longest = max((value or 0 for value in table[drawn].to_pylist()), default=0) if drawn else 0
    rows = [
        [_cell(column, value, longest if column == drawn else None) for column, value in row.items()]
        for row in table.to_pylist()
    ]
    return Figure(name, header["title"], chart, [_heading(c) for c in table.column_names], rows, table)


def _cell(column: str, value: object, longest: float | None) -> Cell:
    share = None
    if longest is not None and isinstance(value, int | float):
        share = round(100 * value / longest, 2) if longest else 0.0
    return Cell(_shown(column, value), isinstance(value, int | float) and not isinstance(value, bool), share)


def _shown(column: str, value: object) -> str:
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int) and "bytes" in column:
        return human_bytes(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)


def human_bytes(count: float) -> str:
    """A number of bytes with three digits and a decimal unit."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if count >= 99.5 or unit == 0 else f"{count:.3g} {_UNITS[unit]}"


def name_of(origin: str) -> str:
    """The file name of a place, also inside an archive."""
    return re.split(r"[/!]", origin.rstrip("/"))[-1] or origin


def _heading(column: str) -> str:
    words = [_ACRONYMS.get(word, word) for word in column.removesuffix("_at").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Tile:
    """One picture of the grid; `source` is a data URI."""

    source: str
    width_px: int
    height_px: int
    name: str
    origin: str
    facts: str


def tiles(session: Session) -> list[Tile]:
    """Thumbnails of the pictures that stand for the lake."""
    rows = session.arrow(sql_files("reports")[GRID]).to_pylist()
    return [
        Tile(
            source="data:image/jpeg;base64," + b64encode(row["jpeg"]).decode(),
            width_px=row["width_px"],
            height_px=row["height_px"],
            name=name_of(row["origin"]),
            origin=row["origin"],
            facts=f"{row['format']}, {row['original_width_px']} \N{MULTIPLICATION SIGN} {row['original_height_px']} px",
        )
        for row in rows
    ]
