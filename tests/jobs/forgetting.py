"""What the tests of `forget` share: a lake with rows in every kind of table, the command, and the proof by grep."""

import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow.parquet as pq

from imagelake.cli import main
from imagelake.jobs.forget import Config
from imagelake.lake.forget_rules import tables_in_order
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport, new_run_id, start_run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def put(lake: Lake, **tables: list[dict[str, object]]) -> None:
    """Write rows as a job would; times and run are filled in."""
    report = RunReport(new_run_id(), "harvest urls")
    opened = lake.ensure_tables(tables)
    with start_run(lake, report, Config(lake.root), opened, main_table="images") as run, duckdb.connect() as con:
        for table, rows in tables.items():
            definition = table_def(table)
            times = {f.name: NOW for f in definition.schema if f.name.endswith("_at")}
            given = to_table(definition, [{**times, "run_id": report.run_id, **row} for row in rows])
            run.committer.add(write_fragment(lake.storage, definition, given, report.run_id, con))


def query(lake: Lake, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql, parameters).fetchall()


def ids(lake: Lake) -> list[str]:
    return [str(row[0]) for row in query(lake, "select image_id from images order by image_id")]


def curated(lake: Lake, names: list[str]) -> None:
    """Rows that name these images, the first three in one group, in the tables that curation writes."""
    near = [
        {"model_id": "m", "image_id": one, "rank": 1, "other_id": other, "similarity": 0.5}
        for one, other in itertools.pairwise(names)
    ]
    pair = {"relation": "phash", "model_id": "m", "distance": 1.0, "similarity": 0.9}
    group = {"relation": "duplicates", "group_id": names[0], "size": 3}
    dataset = {"dataset": "birds", "dataset_version": 1}
    facts = {"statement": "select 1", "parameters": [], "table_versions": [], "splits": [], "group_by": [], "seed": 0}
    least = dict.fromkeys(names[:3], names[0])
    chosen = [{**dataset, "image_id": n, "labels": [], "split": "train", "group_id": least.get(n, n)} for n in names]
    put(
        lake,
        neighbours=near,
        pairs=[{**pair, "image_id": row["image_id"], "other_id": row["other_id"]} for row in near],
        groups=[{**group, "image_id": n, "role": "member" if i else "keeper"} for i, n in enumerate(names[:3])],
        datasets=[{**dataset, **facts, "classes": [], "images": len(names)}],
        dataset_images=chosen,
        exports=[{**dataset, "format": "yolo", "location": "/exports/birds", "images": len(names)}],
    )


def forget(lake: Lake, *arguments: str) -> int:
    return main(["forget", "--lake", lake.root, *arguments])


def proof(lake: Lake) -> dict[str, int]:
    with Session(lake) as session:
        return {str(k): int(v) for k, v in session.execute("from forgotten_rows").fetchall()}


def mentions(lake: Lake, image_id: str, secrets: list[bytes]) -> set[str]:
    """The folders of the files, of any version of any table, in which the id or one of the secrets is found."""
    return {
        path.rpartition("/")[0]
        for path, _, _ in [*lake.storage.list("tables"), *lake.storage.list("blobs")]
        if any(s in data for data in _views(lake, path) for s in [image_id.encode(), *secrets])
    }


def _views(lake: Lake, path: str) -> Iterator[bytes]:
    """A file as it lies there, and what it says when decoded."""
    data = lake.storage.read(path)
    yield data
    if path.endswith(".parquet"):
        for row in pq.read_table(io.BytesIO(data)).to_pylist():
            yield b"\0".join(v if isinstance(v, bytes) else json.dumps(v, default=str).encode() for v in row.values())


def members(lake: Lake) -> dict[str, bytes]:
    """Every member of every shard, as a tar reader sees it."""
    found = {}
    for path, _, _ in lake.storage.list("blobs"):
        with tarfile.open(fileobj=io.BytesIO(lake.storage.read(path))) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    return found


def all_rows(lake: Lake, without: str) -> dict[str, list[str]]:
    """Every row of the tables that name images, but for those that name this one in any column."""
    found = {}
    with Session(lake) as session:
        for table in tables_in_order(records=True):
            rows = session.arrow(f"from raw.{table}").to_pylist()
            found[table] = sorted(text for row in rows if without not in (text := repr(row)))
    return found
