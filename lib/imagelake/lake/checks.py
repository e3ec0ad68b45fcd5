"""Checks of a lake: `sql/checks`, unique keys from the table definitions, files and bytes that must be there.

In: a lake. Out: one `Finding` per check, with the number of offending rows and the first of them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from imagelake.errors import ChecksFailed, QueryError, StorageError
from imagelake.lake.blobs import read_blobs
from imagelake.lake.lake import Lake
from imagelake.lake.results import text_table
from imagelake.lake.session import Session, sql_files
from imagelake.lake.storage import first_line
from imagelake.lake.tables import table_def, table_names

SHOWN = 20
_BATCH = 4_096
_OF_OTHERS = {"images", "forgotten"}  # the images themselves, and those that are no longer there
# A run that commits while we look must not seem to leave orphans: what refers is opened before what is referred to.
_OPENED_LAST = {"failures": 1, "records": 1, "images": 2, "runs": 3}


@dataclass(frozen=True)
class Finding:
    """What a check found: the number of offending rows and the first SHOWN of them."""

    name: str
    count: int
    rows: pa.Table

    @property
    def passed(self) -> bool:
        """Whether nothing offends."""
        return self.count == 0


Check = Callable[[Session, Mapping[str, DeltaTable], Lake], Iterator[pa.RecordBatch]]


def run_checks(lake: Lake, *, deep: bool = False) -> Iterator[Finding]:
    """Run every check; one that fails is looked at again on fresh snapshots, for others may be committing.

    Args:
        lake: the lake.
        deep: read every picture and compare its SHA-256.

    Raises:
        StorageError: the storage refused.
    """
    checks = all_checks(deep=deep)
    tables = _opened(lake)
    with Session(lake, tables=tables) as session:
        for name, check in checks.items():
            finding = _finding(name, check(session, tables, lake))
            if not finding.passed and not (deep and name == "blobs_differ"):  # reading everything twice tells no more
                again = _opened(lake)
                with Session(lake, tables=again) as fresh:
                    finding = _finding(name, check(fresh, again, lake))
            yield finding


def all_checks(*, deep: bool) -> dict[str, Check]:
    """Every check by its name."""
    checks: dict[str, Check] = {f"{name}_missing_files": _files_check(name) for name in table_names()}
    checks.update({f"{name}_unique_key": _sql_check(_unique_key(name)) for name in table_names()})
    for name in table_names():
        columns = [c for c in ("image_id", "other_id") if c in table_def(name).not_null]
        if columns and name not in _OF_OTHERS:
            checks[f"{name}_without_image"] = _sql_check(_orphans(name, columns))
    checks.update({name: _sql_check(text) for name, text in sql_files("checks").items()})
    checks["blobs_missing_or_short"] = _short_blobs
    if deep:
        checks["blobs_differ"] = _differing_blobs
    return checks


def _opened(lake: Lake) -> dict[str, DeltaTable]:
    names = sorted(table_names(), key=lambda n: _OPENED_LAST.get(n, 0))
    return {name: lake.delta(name) for name in names}


def _finding(name: str, batches: Iterator[pa.RecordBatch]) -> Finding:
    first: list[pa.Table] = []
    count = 0
    try:
        for batch in batches:
            if batch.num_rows and count < SHOWN:
                first.append(pa.Table.from_batches([batch.slice(0, SHOWN - count)]))
            count += batch.num_rows
    except (QueryError, OSError) as error:  # a file is missing or damaged: the other checks are still worth running
        first, count = [pa.table({"error": [first_line(error)]})], 1
    return Finding(name, count, pa.concat_tables(first, promote_options="default") if first else pa.table({}))


def _unique_key(name: str) -> str:
    keys = ", ".join(table_def(name).key)
    return f"select {keys}, count(*) as copies from raw.{name} group by {keys} having count(*) > 1"


def _orphans(name: str, columns: Sequence[str]) -> str:
    """Rows that name an image which is not in `images`."""
    key = ", ".join(f"t.{k}" for k in table_def(name).key)
    missing = " or ".join(f"{c} not in (select image_id from images)" for c in columns)
    return f"select {key}, t.run_id from raw.{name} as t where {missing}"


def _sql_check(text: str) -> Check:
    def check(session: Session, tables: Mapping[str, DeltaTable], lake: Lake) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
        return session.batches(text)

    return check


def _files_check(name: str) -> Check:
    """Parquet files of the snapshot that are absent or of another size than the log says."""

    def check(session: Session, tables: Mapping[str, DeltaTable], lake: Lake) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
        present = {path: size for path, size, _ in lake.storage.list(f"tables/{name}")}
        actions = tables[name].get_add_actions(flatten=True)
        rows = [
            {
                "path": f"tables/{name}/{path}",
                "expected_bytes": size,
                "found_bytes": present.get(f"tables/{name}/{path}"),
            }
            for path, size in zip(
                actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist(), strict=True
            )
        ]
        yield _batch([row for row in rows if row["found_bytes"] != row["expected_bytes"]])

    return check


_SHARDS = "select uri, max(offset_bytes + length_bytes) as expected_bytes, count(*) as images from images group by uri"


def _short_blobs(session: Session, tables: Mapping[str, DeltaTable], lake: Lake) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    """Files with pictures that are absent or end too early."""
    present = {path: size for path, size, _ in lake.storage.list("blobs")}
    for batch in session.batches(_SHARDS):
        rows = [{**row, "found_bytes": _size(lake, row["uri"], present)} for row in batch.to_pylist()]
        yield _batch([row for row in rows if (row["found_bytes"] or -1) < row["expected_bytes"]])


def _size(lake: Lake, uri: str, present: Mapping[str, int]) -> int | None:
    """Bytes of a file of the lake, or of an original outside it; None where it cannot be read."""
    if uri in present or uri.startswith("blobs/"):
        return present.get(uri)
    try:
        with lake.storage.open(uri) as file:
            return file.seek(0, 2)
    except (OSError, StorageError):
        return None


_PLACES = "select image_id, uri, offset_bytes, length_bytes from images order by uri, offset_bytes"


def _differing_blobs(session: Session, tables: Mapping[str, DeltaTable], lake: Lake) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    """Pictures whose bytes are not those that they were named after."""
    for batch in session.batches(_PLACES, rows=_BATCH):
        rows = batch.to_pylist()
        found = read_blobs(lake.storage, ((r["uri"], r["offset_bytes"], r["length_bytes"]) for r in rows))
        for row, data in zip(rows, found, strict=True):
            row["found"] = str(data) if isinstance(data, OSError) else hashlib.sha256(data).hexdigest()
        yield _batch([row for row in rows if row["found"] != row["image_id"]])


def _batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows) if rows else pa.RecordBatch.from_pylist([], schema=pa.schema([]))


def raise_if_failed(findings: Sequence[Finding]) -> None:
    """Name the checks that failed.

    Raises:
        ChecksFailed: some did.
    """
    if failed := [f.name for f in findings if not f.passed]:
        raise ChecksFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}")


def described(finding: Finding) -> str:
    """One line for a check; below it the offending rows."""
    if finding.passed:
        return f"pass  {finding.name}"
    head = f"FAIL  {finding.name}: {finding.count:,} row{'' if finding.count == 1 else 's'}"
    return f"{head}\n{text_table(finding.rows)}".rstrip()
