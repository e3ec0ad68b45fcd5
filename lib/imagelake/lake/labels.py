"""Labels from folder names and from records: queries, so that they also cover pictures that came earlier.

And whether a consensus is older than the labels that it was made of.
"""

import duckdb
import pyarrow as pa

from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.runs import Run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def

ROWS = 100_000

# The parent folder is the last but one part of the origin; members of an archive's root have the archive.
_FOLDER_LABELS = """
with found as (
  -- one time for all folders of an image: none of its labels is newer than the others, so all are current
  select
    image_id, origin, string_split_regex(origin, '[/!]') as parts,
    min(seen_at) over (partition by image_id) as labelled_at
  from sightings
),
folders as (
  select image_id, parts[-2] as label, min(labelled_at) as labelled_at
  from found
  where
    len(parts) > 1 and parts[-2] <> ''
    and (
      md5_number(origin) in (select digest from wanted)
      or md5_number(split_part(origin, '!', 1)) in (select digest from wanted)
    )
  group by image_id, parts[-2]
)
select
  f.image_id, $task as task, f.label, 'folders' as annotator, 'folder' as source, null::double as confidence,
  f.labelled_at, $run_id as run_id
from folders as f
where not exists (
  select 1 from labels as l
  where l.image_id = f.image_id and l.task = $task and l.label = f.label and l.annotator = 'folders'
)
"""


def write_folder_labels(lake: Lake, listing: Session, run: Run, task: str) -> None:
    """Give every sighting that this run listed its parent folder as label for `task`, unless it has it.

    Args:
        lake: the lake, with the run's sightings committed.
        listing: the session whose table `listed` holds the digests of the listed origins.
        run: takes the labels.
        task: name of the labelling task.
    """
    wanted = listing.con.execute("select distinct digest::varchar as digest from listed").to_arrow_table()
    with Session(lake) as session:
        session.con.register("wanted_text", wanted)
        session.con.execute("create temp table wanted as select digest::uhugeint as digest from wanted_text")
        _write(lake, session, run, _FOLDER_LABELS, {"task": task, "run_id": run.report.run_id})


# One time for all labels of an image from one provider: none is newer than the others, so all are current.
_RECORD_LABELS = """
with said as (
  select i.image_id, r.task, r.label, r.provider, r.harvested_at
  from record_labels as r
  join record_images as i on r.provider = i.provider and r.source_id = i.source_id
),
distinct_labels as (
  select
    image_id, task, label, provider as annotator,
    min(min(harvested_at)) over (partition by image_id, task, provider) as labelled_at
  from said
  group by image_id, task, label, provider
)
select
  d.image_id, d.task, d.label, d.annotator, 'record' as source, null::double as confidence, d.labelled_at,
  $run_id as run_id
from distinct_labels as d
where not exists (
  select 1 from labels as l
  where l.image_id = d.image_id and l.task = d.task and l.label = d.label and l.annotator = d.annotator
)
"""


def label_images(lake: Lake, run: Run) -> None:
    """Give every picture of the lake the labels of its records, unless it has them."""
    with Session(lake) as session:
        _write(lake, session, run, _RECORD_LABELS, {"run_id": run.report.run_id})


def newer_labels(session: Session, task: str) -> int:
    """Labels of a task that were given since its consensus was computed."""
    sql = "select max(computed_at) from consensus_labels where task = $task"
    newer = f"select count(*) from labels where task = $task and labelled_at > ({sql})"
    return int(session.execute(newer, {"task": task}).fetchall()[0][0])


def _write(lake: Lake, session: Session, run: Run, sql: str, parameters: dict[str, object]) -> None:
    """Write the rows that a query gives to `labels`."""
    with duckdb.connect() as con:
        for batch in session.batches(sql, parameters, ROWS):
            rows = pa.Table.from_batches([batch])
            if rows.num_rows:
                fragment = write_fragment(lake.storage, table_def("labels"), rows, run.report.run_id, con)
                run.committer.add(fragment)
    run.committer.flush()
