"""Which pictures are to be forgotten, what a person has to do by hand, and whether somebody else is at work."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from imagelake.errors import CommitConflict, UsageError
from imagelake.lake.forget_rules import GONE, gone_records_in, rows_of, tables_in_order
from imagelake.lake.lake import Lake
from imagelake.lake.maintenance import SAFE_HOURS
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, table_names

_SHOWN = 10
_CHOSEN = """
select c.image_id, c.image_id in (select image_id from forgotten) as is_forgotten
from (select distinct image_id from ({chosen}
) where image_id is not null) as c
where {known} c.image_id in (select image_id from images union all select image_id from forgotten)
order by c.image_id
"""


def choose(session: Session, image_ids: tuple[str, ...], sql: str | None) -> pa.Table:
    """The images that are meant: `image_id`, `is_forgotten` (an earlier run has begun with it).

    Args:
        session: a session over the lake.
        image_ids: whole ids.
        sql: a query with a column `image_id`; the operator's own, as in `imagelake sql`.

    Raises:
        QueryError: the query is wrong.
        UsageError: one of them is not in the lake.
    """
    if sql is None:
        session.con.register("asked", pa.table({"image_id": [i.strip().lower() for i in image_ids]}, GONE))
    chosen = sql.strip().rstrip(";") if sql is not None else "from asked"
    unknown = session.execute(_CHOSEN.format(chosen=chosen, known="not")).fetchall()
    if unknown:
        more = f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
        raise UsageError(f"no image of the lake has the id {unknown[0][0]}{more}: give all 64 characters of image_id")
    return session.arrow(_CHOSEN.format(chosen=chosen, known=""))


def with_derived(session: Session, chosen: pa.Table) -> pa.Table:
    """The images with those that were made from them: rows whose `parent_id` names one of them, and so on."""
    made = [
        f"select image_id from {name} where parent_id in (select image_id from found)"
        for name in table_names()
        if {"image_id", "parent_id"} <= set(table_def(name).schema.names)
    ]
    found, before = chosen, -1
    while made and found.num_rows > before:  # until nothing more is found: a crop of a crop
        before = found.num_rows
        session.con.register("found", found)
        sql = " union all ".join(["select image_id from found", *made])
        found = session.arrow(_CHOSEN.format(chosen=sql, known=""))
    return found


# grain: image, export. The first statement gives older lakes the column that they lack: without it, all splits.
_EXPORTED = """
with noted as (
  select null::varchar[] as splits where false
  union all by name
  from exports
),
exported as (
  select e.location, e.format, e.dataset, e.dataset_version, d.image_id
  from noted as e
  join dataset_images as d on e.dataset = d.dataset and e.dataset_version = d.dataset_version
  where
    d.image_id in (from gone)
    and (e.splits is null or list_contains(e.splits, coalesce(d.split, 'fold' || d.fold)))
)
"""
# Every copy that is not ours to delete, image by image; and the lists in which it is named.
PLACES = f"""
{_EXPORTED}
select image_id, if(format = 'csv', 'names', 'export') as kind, location as place from exported
union
select image_id, 'original' as kind, origin as place from sightings where image_id in (from gone)
order by image_id, kind, place
"""

_EXPORTS = f"""
{_EXPORTED}
select location, if(format = 'csv', 'names only, csv', format), dataset, dataset_version, count(distinct image_id)
from exported
group by all
order by all
"""
_ORIGINS = "select distinct origin from sightings where image_id in (from gone) order by origin"
_ALIKE = """
select count(distinct other)
from (
  select other_id as other from pairs where image_id in (from gone)
  union all
  select image_id as other from pairs where other_id in (from gone)
)
where other not in (from gone)
"""


def elsewhere(session: Session) -> dict[str, str]:
    """What a person has to do by hand, as lines of a report: exports, originals, look-alikes that stay."""
    told: dict[str, str] = {}
    for place, form, dataset, version, images in session.execute(_EXPORTS).fetchall():
        line = f"in the export {place}"
        text = f"{images:,} picture{'s'[: images != 1]} ({form} of {dataset} version {version})"
        told[line] = f"{told[line]}; {text}" if line in told else text  # one place may have been used again
    origins = [row[0] for row in session.execute(_ORIGINS).fetchall()]
    if origins:
        more = f", ... ({len(origins) - _SHOWN:,} more: --places FILE)" if len(origins) > _SHOWN else ""
        told["originals elsewhere"] = f"{len(origins):,}: {', '.join(origins[:_SHOWN])}{more}"
    alike = session.execute(_ALIKE).fetchall()[0][0]
    if alike:
        told["look-alikes that stay"] = f"{alike:,} (table pairs)"
    return told


_AT_WORK = """
select run_id, job, strftime(started_at, '%Y-%m-%d %H:%M UTC')
from latest_runs
where status = 'running' and started_at > $since and run_id <> $own and ($job is null or job = $job)
order by run_id
limit 1
"""


def require_alone(lake: Lake, own: str, job: str | None = None) -> None:
    """Refuse while another run is at work.

    Args:
        lake: the lake.
        own: the run that asks.
        job: look only for runs of this job.

    Raises:
        CommitConflict: one that began within a day has not ended.
    """
    since = datetime.now(UTC) - timedelta(hours=SAFE_HOURS)
    with Session(lake) as session:
        found = session.execute(_AT_WORK, {"since": since, "own": own, "job": job}).fetchall()
    if found:
        run_id, name, started = found[0]
        what = "nothing was done" if job else "the pictures are out, but older versions of the tables still have them"
        raise CommitConflict(
            f"run {run_id} ({name}, since {started}) is at work, or was killed: {what};"
            " run the same command again when it has ended; with --alone if you know that it was killed"
        )


_UNFINISHED = """
select max(f.forgotten_at) > coalesce(max(r.finished_at), '1970-01-01'::timestamptz)
from forgotten as f
left join (select finished_at from latest_runs where job = 'forget' and status = 'succeeded') as r on true
"""


def is_unfinished(session: Session) -> bool:
    """Whether an earlier run was stopped before its end."""
    return bool(session.execute(_UNFINISHED).fetchall()[0][0])


def planned(session: Session, *, records: bool) -> dict[str, int]:
    """How many rows of which tables would change or go, as lines of a report."""
    if records:
        gone_records_in(session)
    counts = {f"rows of {name}": rows_of(session, name) for name in tables_in_order(records=records)}
    return {line: count for line, count in counts.items() if count}
