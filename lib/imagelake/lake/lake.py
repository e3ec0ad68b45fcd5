"""A lake: a folder or `s3://` prefix with Delta tables under `tables/` and image bytes under `blobs/`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from imagelake.errors import LakeNotFound, StorageError, UsageError
from imagelake.lake.storage import Storage, first_line, is_remote
from imagelake.lake.tables import TableDef, statistics_columns, table_def, table_names

MARKER = "lake.json"
FORMAT = 1
# allow_http only permits what AWS_ENDPOINT_URL asks for
DELTA_OPTIONS = {"allow_http": "true"}
EVOLVED = "imagelake.evolved"  # set where files may lack columns of the table
STATISTICS = "delta.dataSkippingStatsColumns"  # by default the first 32 columns, which leaves out exif.version
TABLE_PROPERTIES = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 3650 days",  # time travel is a promise
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


@dataclass(frozen=True)
class Lake:
    """A lake by its root; picklable, opened where it is used."""

    root: str

    def __reduce__(self) -> tuple[type["Lake"], tuple[str]]:
        """Pickle the root only."""
        return Lake, (self.root,)

    @cached_property
    def storage(self) -> Storage:
        """The files of the lake."""
        return Storage(self.root)

    def delta(self, table: str) -> DeltaTable:
        """Open a table at its latest version.

        Raises:
            LakeNotFound: the table does not exist.
            StorageError: the storage refused.
        """
        try:
            return DeltaTable(self.storage.uri(f"tables/{table}"), storage_options=DELTA_OPTIONS)
        except TableNotFoundError as error:
            raise LakeNotFound(f"{self.root} has no table {table}: run `imagelake init {self.root}`") from error
        except (DeltaError, OSError) as error:
            raise StorageError(f"table {table} of {self.root}: {first_line(error)}") from error

    def has_table(self, table: str) -> bool:
        """Whether the table exists."""
        return bool(DeltaTable.is_deltatable(self.storage.uri(f"tables/{table}"), storage_options=DELTA_OPTIONS))

    def ensure_tables(self, names: Iterable[str]) -> dict[str, DeltaTable]:
        """Create missing tables and add missing columns; returns the tables, opened.

        Raises:
            UsageError: the lake was written by a newer imagelake, or a column's type differs.
        """
        return {name: _evolved(self._created(table_def(name)), table_def(name)) for name in names}

    def _created(self, definition: TableDef) -> DeltaTable:
        if self.has_table(definition.name):
            return self.delta(definition.name)
        try:
            return DeltaTable.create(
                self.storage.uri(f"tables/{definition.name}"),
                schema=_delta_schema(definition),
                mode="ignore",
                name=definition.name,
                description=definition.comment,
                configuration={**TABLE_PROPERTIES, STATISTICS: ",".join(statistics_columns(definition))},
                storage_options=DELTA_OPTIONS,
            )
        except DeltaError:  # another writer created it at the same moment
            return self.delta(definition.name)


def create_lake(root: str) -> Lake:
    """Create a lake, or complete one; harmless where it exists.

    Raises:
        UsageError: the place is a file or a folder that holds something else.
    """
    lake = Lake(root)
    if not is_remote(root):
        path = Path(root)
        if path.exists() and not path.is_dir():
            raise UsageError(f"{root} is a file: name a folder for the lake")
        if path.is_dir() and any(path.iterdir()) and not (path / MARKER).exists():
            raise UsageError(f"{root} is not empty and not a lake: name a new or empty folder")
    if not lake.storage.exists(MARKER):
        created = datetime.now(UTC).isoformat(timespec="seconds")
        lake.storage.write(MARKER, json.dumps({"format": FORMAT, "created_at": created}).encode())
    lake.ensure_tables(table_names())
    return lake


def open_lake(root: str) -> Lake:
    """Open an existing lake.

    Raises:
        LakeNotFound: there is no lake.
        UsageError: it was written by a newer imagelake.
    """
    lake = Lake(root)
    try:
        marker = json.loads(lake.storage.read(MARKER))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LakeNotFound(f"no lake at {root}: create one with `imagelake init {root}`") from error
    except ValueError as error:
        raise LakeNotFound(f"{root}/{MARKER} is damaged: {error}") from error
    if marker.get("format", 0) > FORMAT:
        raise UsageError(f"{root} was written by a newer imagelake: upgrade with `pip install -U imagelake`")
    return lake


def _delta_schema(definition: TableDef) -> Schema:
    fields = Schema.from_arrow(definition.schema).fields
    return Schema([_commented(field, definition) for field in fields])


def _commented(field: Field, definition: TableDef) -> Field:
    comment = {"comment": definition.comments[field.name]}
    return Field(field.name, field.type, nullable=field.nullable, metadata=comment)


def _evolved(table: DeltaTable, definition: TableDef) -> DeltaTable:
    """Add the definition's new columns, as nullable ones."""
    wanted = _delta_schema(definition).fields
    present = {field.name: field for field in table.schema().fields}
    for field in wanted:
        if field.name in present and present[field.name].type != field.type:
            raise UsageError(
                f"column {definition.name}.{field.name} is {present[field.name].type} in the lake"
                f" but {field.type} in this imagelake: use the version that wrote the lake"
            )
    missing = [Field(f.name, f.type, nullable=True, metadata=f.metadata) for f in wanted if f.name not in present]
    if missing:
        table.alter.add_columns(missing)
        table.alter.set_table_properties({EVOLVED: "true"}, raise_if_not_exists=False)
        table.update_incremental()
    return table
