"""Pending work as anti-joins: what a job has still to do is a query over the tables, never a state of its own."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from imagelake.lake.session import Session

MEMORY = "512MB"  # of the driver; the rest spills to DuckDB's temporary folder
THREADS = 2  # each needs its part of the memory: with 4, four million pending pictures did not fit into 400 MB


@dataclass(frozen=True)
class Output:
    """One thing that a job makes of every image: rows of `table` at `version` or newer.

    Args:
        table: the table.
        version: version of the extractor.
        only: column and value that the rows have, where others of the table are none of this: a model, a method.
        needs_pixels: whether a picture that cannot be decoded lacks it.
    """

    table: str
    version: int
    only: tuple[str, str] | None = None
    needs_pixels: bool = True


class PendingImages:
    """Images that lack an output, each with a bit mask of those it lacks (bit i for outputs[i]).

    Args:
        session: a session over the tables as the committer knows them.
        job: failures of this job are not tried again...
        version: ...unless they were made by an older version.
        outputs: what the job makes.
        retry_failed: try failures again all the same.
    """

    def __init__(
        self, session: Session, job: str, version: int, outputs: Sequence[Output], *, retry_failed: bool
    ) -> None:
        self._session = session
        bound(session)
        session.prepare("select * from images, failures, sightings, " + ", ".join(o.table for o in outputs))
        session.execute(
            _PENDING.format(
                missing=" | ".join(f"if(d{i}.image_id is null, {1 << i}, 0)" for i in range(len(outputs))),
                joins="\n".join(_done(i, output) for i, output in enumerate(outputs)),
            ),
            {
                "job": job,
                "version": version,
                "all": (1 << len(outputs)) - 1 if not retry_failed else 0,
                "pixels": sum(1 << i for i, o in enumerate(outputs) if o.needs_pixels) if not retry_failed else 0,
                **{f"version_{i}": output.version for i, output in enumerate(outputs)},
                **{f"only_{i}": o.only[1] for i, o in enumerate(outputs) if o.only is not None},
            },
        )
        self.total, self.count, self.rejected_earlier = session.execute(
            "select (select count(*) from images), count(*) filter (need > 0), count(*) filter (need = 0) from pending"
        ).fetchall()[0]

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """Stream the pending images in the order of their bytes: image_id, uri, offset, length, need, origin."""
        if self.count:
            for batch in self._session.batches(_STREAM, rows=rows):
                yield from _sliced(batch, rows)


def bound(session: Session) -> None:
    """Keep the session within the driver's memory."""
    session.con.execute(f"set memory_limit = '{MEMORY}'")
    session.con.execute("set preserve_insertion_order = false")
    session.con.execute(f"set threads = {min(THREADS, len(os.sched_getaffinity(0)))}")


# Only names of our own tables and numbers are formatted in; values are bound.
_PENDING = """
create or replace temp table pending as
with failed as (
  select image_id, bit_or(if(stage = 'read', $all, $pixels)) as mask
  from failures
  where job = $job and version >= $version and image_id is not null
  group by image_id
),
lacking as (
  select i.image_id, i.uri, i.offset_bytes, i.length_bytes, ({missing}) as missing, coalesce(f.mask, 0) as mask
  from images as i
  left join failed as f on i.image_id = f.image_id
  {joins}
)
select image_id, uri, offset_bytes, length_bytes, (missing & ~mask)::integer as need
from lacking
where missing > 0
"""

_STREAM = """
with origins as (
  select image_id, min(origin) as origin
  from sightings
  where image_id in (select image_id from pending where need > 0)
  group by image_id
)
select p.*, coalesce(o.origin, p.uri) as origin
from pending as p
left join origins as o on p.image_id = o.image_id
where p.need > 0
order by p.uri, p.offset_bytes
"""


def _done(i: int, output: Output) -> str:
    only = f" and {output.only[0]} = $only_{i}" if output.only is not None else ""
    return (
        f"left join (select distinct image_id from raw.{output.table}"
        f" where version >= $version_{i}{only}) as d{i} on i.image_id = d{i}.image_id"
    )


def _sliced(batch: pa.RecordBatch, rows: int) -> Iterator[pa.Table]:
    for start in range(0, batch.num_rows, rows):
        yield pa.Table.from_batches([batch.slice(start, rows)])


class PendingFiles:
    """Files that the lake has not read in their present state.

    A file is known by origin, size and modification time: as a sighting, as a failure of an earlier run, or as an
    archive that was read to its end.

    Args:
        session: a session over the tables as the committer knows them.
        retry_failed: try failures again.
        remember: keep the listed origins for `folder_labels`.
    """

    def __init__(self, session: Session, *, retry_failed: bool, remember: bool) -> None:
        self._session = session
        self._remember = remember
        self._retry_failed = retry_failed
        bound(session)
        session.execute(_KNOWN_FILES, {"retry_failed": retry_failed})
        session.execute(_PARTIAL)
        session.con.execute("create or replace temp table listed (digest uhugeint)")

    def split(self, files: pa.Table) -> tuple[pa.Table, int]:
        """Those of the files that are pending, with `known_members` for half-read archives, and the items known."""
        con = self._session.con
        con.register("chunk", files)
        pending = con.execute(_PENDING_FILES).to_arrow_table()
        known = con.execute(_COUNT_KNOWN).fetchall()[0][0]
        if self._remember:
            con.execute("insert into listed select md5_number(origin) from chunk")
        con.unregister("chunk")
        return pending, int(known)

    def known_rejects(self) -> set[str]:
        """Entries that an earlier run could not list."""
        sql = "select distinct item from failures where job = 'ingest' and stage = 'list' and not $retry_failed"
        return {row[0] for row in self._session.execute(sql, {"retry_failed": self._retry_failed}).fetchall()}


_DIGEST = "md5_number(concat_ws(chr(31), origin, size_bytes, epoch_us(modified_at)))"

_KNOWN_FILES = f"""
create or replace temp table known as
select {_DIGEST} as digest, 1 as items from sightings
union all by name
select {_DIGEST} as digest, 1 as items
from (select item as origin, size_bytes, modified_at from failures where job = 'ingest' and not $retry_failed)
union all by name
select {_DIGEST} as digest, members as items from archives
"""

_PARTIAL = """
create or replace temp table partial as
with members as (
  select origin from sightings where contains(origin, '!')
  union all
  select item as origin from failures where job = 'ingest' and contains(item, '!')
),
split as (
  select origin, split_part(origin, '!', 1) as archive from members
)
select archive, list(distinct origin) as members
from split
where archive not in (select origin from archives)
group by archive
"""

_PENDING_FILES = f"""
select distinct on (c.origin) c.origin, c.uri, c.size_bytes, c.modified_at, p.members as known_members
from chunk as c
left join partial as p on c.origin = p.archive
where {_DIGEST.replace("origin", "c.origin")} not in (select digest from known)
order by c.origin
"""

_COUNT_KNOWN = f"""
select coalesce(sum(items), 0)
from (
  select k.digest, max(k.items) as items
  from chunk
  join known as k on {_DIGEST} = k.digest
  group by k.digest
)
"""
