"""Labels from folder names: a query over `sightings`, so that it also covers pictures ingested earlier."""

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
    definition = table_def("labels")
    wanted = listing.con.execute("select distinct digest::varchar as digest from listed").to_arrow_table()
    with Session(lake) as session, duckdb.connect() as con:
        session.con.register("wanted_text", wanted)
        session.con.execute("create temp table wanted as select digest::uhugeint as digest from wanted_text")
        for batch in session.batches(_FOLDER_LABELS, {"task": task, "run_id": run.report.run_id}, ROWS):
            rows = pa.Table.from_batches([batch])
            if rows.num_rows:
                run.committer.add(write_fragment(lake.storage, definition, rows, run.report.run_id, con))
    run.committer.flush()
