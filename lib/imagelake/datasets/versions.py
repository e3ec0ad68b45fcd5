"""Versions of data sets: the rows of one in, committed under the next number; found again by name.

`dataset_images` is committed first and `datasets` last, so that a data set is there with all its images or not at all.
The commit of `dataset_images` is what takes the number: it takes part in the queue of the table's commits (see
`imagelake.lake.commits`) and fails where any other one has landed since the number was chosen, so that two runs never
take the same. What a killed run leaves has a number of its own that no later run takes.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from imagelake.errors import UsageError
from imagelake.lake.commits import ATTEMPTS, append_fragments, back_off, has_landed
from imagelake.lake.fragments import Fragment, write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.runs import Run
from imagelake.lake.session import Session
from imagelake.lake.storage import Storage
from imagelake.lake.tables import table_def, table_names, to_table

ROWS_PER_FRAGMENT = 200_000
_LAST = """
select greatest(
  (select coalesce(max(dataset_version), 0) from datasets where dataset = $name),
  (select coalesce(max(dataset_version), 0) from dataset_images where dataset = $name)
)
"""
_SAME = ("task", "statement", "parameters", "splits", "folds", "group_by", "seed", "per_class", "classes", "images")
# Order does not matter to a sum; a 64-bit sum of hashes of the same process tells results apart.
_DIGEST = """
select count(*), sum(hash(image_id, labels, split, fold, group_id)::hugeint)
from {rows}
"""


@dataclass(frozen=True)
class Version:
    """One row of `datasets`."""

    row: dict[str, Any]

    @property
    def label(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.row['dataset']}@{self.row['dataset_version']}"

    @property
    def repeated(self) -> str:
        """What is said when it would be made again."""
        return f"{self.label}, which has the same images, labels and splits already; --force makes a new version"

    @property
    def key(self) -> dict[str, object]:
        """Parameters `name` and `number` for queries over `dataset_images`."""
        return {"name": self.row["dataset"], "number": self.row["dataset_version"]}


def find(session: Session, name: str, number: int | None = None) -> Version:
    """The version of that number, or the newest.

    Raises:
        UsageError: there is no such data set, or no such version.
    """
    found = newest(session, name, number)
    if found is not None:
        return found
    rows = session.execute("select dataset, dataset_version from datasets order by all").fetchall()
    numbers = [str(version) for dataset, version in rows if dataset == name]
    if numbers:
        raise UsageError(f"{name} has no version {number}: there is {', '.join(numbers)}")
    names = ", ".join(dict.fromkeys(dataset for dataset, _ in rows)) or "none yet (imagelake dataset create)"
    raise UsageError(f"no data set {name}: there is {names}")


def newest(session: Session, name: str, number: int | None = None) -> Version | None:
    """The same, or None."""
    sql = """
        select * from datasets
        where dataset = $name and ($number is null or dataset_version = $number)
        order by dataset_version desc limit 1
    """
    rows = session.arrow(sql, {"name": name, "number": number}).to_pylist(maps_as_pydicts="strict")
    return Version(rows[0]) if rows else None


def is_same(session: Session, before: Version, row: Mapping[str, Any], images: pa.Table) -> bool:
    """Whether a version was asked for in the same words and has the same images, labels and splits.

    Args:
        session: a session over the lake.
        before: the version.
        row: the row of `datasets` that would be written.
        images: the rows of `dataset_images` that would be written.
    """
    texts = {**row, "parameters": {name: str(value) for name, value in row["parameters"].items()}}
    if any(before.row[name] != texts[name] for name in _SAME):
        return False
    session.con.register("dataset_fresh", images)
    stored = "dataset_images where dataset = $name and dataset_version = $number"
    fresh = session.execute(_DIGEST.format(rows="dataset_fresh")).fetchall()
    return fresh == session.execute(_DIGEST.format(rows=stored), before.key).fetchall()


@contextmanager
def pinned(lake: Lake) -> Iterator[tuple[Session, dict[str, int]]]:
    """A session whose tables are all opened beforehand, and their versions."""
    tables = {name: lake.delta(name) for name in table_names() if lake.has_table(name)}
    with Session(lake, tables=tables) as session:
        yield session, {name: table.version() for name, table in tables.items()}


def tables_read(session: Session, versions: Mapping[str, int]) -> dict[str, int]:
    """The versions of those tables that the session has read so far."""
    views = session.con.execute("select view_name from duckdb_views() where schema_name = 'raw'").fetchall()
    return {name: versions[name] for (name,) in sorted(views) if name in versions and not name.startswith("dataset")}


def publish(lake: Lake, run: Run, table: DeltaTable, row: Mapping[str, Any], images: pa.Table) -> str:
    """Write a new version; returns `NAME@VERSION`.

    Args:
        lake: the lake.
        run: the run.
        table: `dataset_images`.
        row: the row of `datasets` without what only this run knows.
        images: rows of `dataset_images`: image_id, labels, split, fold, group_id.

    Raises:
        CommitConflict: others kept winning the race.
    """
    run_id, definition = run.report.run_id, table_def("datasets")
    number = commit_images(lake, run_id, table, row["dataset"], images)
    maps = {name: list(row[name].items()) for name in ("table_versions", "splits")}
    maps["parameters"] = [(name, str(value)) for name, value in row["parameters"].items()]
    whole = {**row, **maps, "dataset_version": number, "run_id": run_id, "created_at": datetime.now(UTC)}
    with duckdb.connect() as con:
        run.committer.add(write_fragment(lake.storage, definition, to_table(definition, [whole]), run_id, con))
    run.committer.flush()
    return f"{row['dataset']}@{number}"


def record_export(lake: Lake, run: Run, version: Version, config: Any, images: int) -> None:
    """Append the row of `exports` for an export that is to have so many images, and commit it."""
    definition = table_def("exports")
    row = {
        "dataset": version.row["dataset"],
        "dataset_version": version.row["dataset_version"],
        "format": config.format,
        "location": Storage(config.out).uri("").rstrip("/"),
        "images": 0 if config.format == "csv" else images,
        "splits": sorted(config.split) or None,
        "run_id": run.report.run_id,
        "exported_at": datetime.now(UTC),
    }
    with duckdb.connect() as con:
        run.committer.add(write_fragment(lake.storage, definition, to_table(definition, [row]), row["run_id"], con))
    run.committer.flush()


def commit_images(lake: Lake, run_id: str, table: DeltaTable, name: str, images: pa.Table) -> int:
    """Commit the images of a new version; returns its number.

    Args:
        lake: the lake.
        run_id: the run.
        table: `dataset_images`.
        name: the data set.
        images: rows of `dataset_images` without `dataset`, `dataset_version` and `run_id`.

    Raises:
        CommitConflict: others kept winning the race.
    """
    for attempt in range(ATTEMPTS):
        table.update_incremental()
        with Session(lake, tables={"dataset_images": table}) as session:
            number = int(session.execute(_LAST, {"name": name}).fetchall()[0][0]) + 1
        fragments = _written(lake, run_id, {"dataset": name, "dataset_version": number}, images)
        base, token = table.version(), uuid.uuid4().hex
        try:
            append_fragments(table, "dataset_images", fragments, run_id, token)
        except (DeltaError, OSError) as error:
            if not has_landed(table, base, token):
                for fragment in fragments:
                    lake.storage.delete(f"tables/dataset_images/{fragment.path}")
                back_off(attempt, "dataset_images", error)
                continue
        return number
    raise AssertionError  # the last attempt has raised


def _written(lake: Lake, run_id: str, constant: Mapping[str, object], images: pa.Table) -> list[Fragment]:
    definition = table_def("dataset_images")
    fragments = []
    with duckdb.connect() as con:
        for start in range(0, images.num_rows, ROWS_PER_FRAGMENT):
            part = images.slice(start, ROWS_PER_FRAGMENT)
            for column, value in {**constant, "run_id": run_id}.items():
                field = definition.schema.field(column)
                part = part.append_column(field, pa.repeat(pa.scalar(value, field.type), part.num_rows))
            fragments.append(write_fragment(lake.storage, definition, part, run_id, con))
    return fragments
