"""What must not be separated: the names of --group-by in, pairs of rows that share something out."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.datasets.options import number_of
from imagelake.errors import UsageError
from imagelake.lake.dedupe_runs import not_looked_for
from imagelake.lake.session import Session

Indices = NDArray[np.int64]

# Each gives (image_id, value): images with one value belong together. Many values per image are allowed.
KEYS = {
    "duplicate_group": "select image_id, group_id as value from groups where relation = 'duplicates'",
    # Pairs that are alike, also where their groups differ: A like B and B like C does not make A like C.
    "duplicate_pair": """
        select unnest([image_id, other_id]) as image_id, (image_id, other_id) as value
        from pairs
        where relation <> 'fastdup'
    """,
    "owner": """
        with creators as (
          select i.image_id, r.provider || chr(31) || r.creator as value
          from record_images as i
          join records as r on i.provider = r.provider and i.source_id = r.source_id
          where r.creator <> ''
        )
        from creators
        union all
        select image_id, artist as value
        from exif
        where artist <> '' and image_id not in (select image_id from creators)
    """,
    "individual": "select image_id, label as value from current_labels where task = 'individual'",
    # All pictures of the lake make the chain, chosen or not, so that a series is the same whatever is chosen.
    "burst": """
        with shots as (
          select image_id, make, model, artist, captured_at
          from exif
          where captured_at is not null
          qualify row_number() over (partition by image_id order by source <> 'file', source) = 1
        ),
        gaps as (
          select *, epoch(captured_at) - lag(epoch(captured_at)) over (
            partition by make, model, artist order by captured_at, image_id
          ) as gap_s
          from shots
        ),
        bursts as (
          select image_id, make, model, artist, sum(if(gap_s > $burst_s, 1, 0)) over (
            partition by make, model, artist order by captured_at, image_id
          ) as number
          from gaps
        )
        select image_id, (make, model, artist, number) as value from bursts
    """,
}
_OWN = ("image_id", "labels", "split")  # columns with a meaning that is not that of a group
_KNOWN = """
with shared as ({key})
select count(distinct s.image_id) from shared as s semi join dataset_rows as d on s.image_id = d.image_id
"""
_APART = """
select count(*)
from (
  select g.group_id
  from groups as g
  semi join dataset_rows as d on g.image_id = d.image_id
  where g.relation = 'duplicates'
  group by g.group_id
  having count(*) > 1
)
"""
# One line of each value: its least row, joined with every other row of the value.
_PAIRS = """
with shared as ({key}),
pairs_of_rows as (
  select d.row as one, min(d.row) over (partition by s.value) as other
  from shared as s
  join dataset_numbers as d on s.image_id = d.image_id
)
select one, other from pairs_of_rows where one <> other
"""


def pairs_of(session: Session, rows: pa.Table, group_by: Sequence[str], burst_s: float) -> tuple[Indices, Indices, str]:
    """Pairs of rows that share a value of any of the keys.

    Args:
        session: a session over the lake.
        rows: image_id and the columns of the statement.
        group_by: names of KEYS, or columns of the rows; a column goes before a key of the same name.
        burst_s: seconds between two pictures of one burst.

    Returns:
        One row of each pair, the other, and a sentence on how many images each key says something of.

    Raises:
        UsageError: a name is neither a key nor a column.
    """
    columns = [name for name in rows.schema.names if name not in _OWN]
    session.con.register("dataset_rows", rows.drop_columns(["labels"]))
    session.con.register("dataset_numbers", pa.table({"image_id": rows["image_id"], "row": np.arange(rows.num_rows)}))
    left, right, told = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for name in group_by:
        key = _key(name, columns)
        bound = {"burst_s": float(burst_s)} if "$burst_s" in key else None
        found = session.arrow(_PAIRS.format(key=key), bound)
        left.append(found["one"].to_numpy())
        right.append(found["other"].to_numpy())
        known = session.execute(_KNOWN.format(key=key), bound).fetchall()[0][0]
        told.append(f"{name} (known of {number_of(known, 'image')})")
    return np.concatenate(left), np.concatenate(right), ", ".join(told) or "nothing"


def _key(name: str, columns: Sequence[str]) -> str:
    if name in columns:
        quoted = '"' + name.replace('"', '""') + '"'
        return f"select image_id, {quoted} as value from dataset_rows where {quoted} is not null"
    if name in KEYS:
        return KEYS[name]
    if name in _OWN:
        raise UsageError(f"--group-by {name}: {', '.join(_OWN)} cannot be named; select it as a column of another name")
    own = f" ({', '.join(columns)})" if columns else ""
    raise UsageError(f"--group-by {name}: choose of {', '.join(KEYS)}, or a column of the statement{own}")


def default_keys(session: Session) -> tuple[str, ...]:
    """What is kept together unless something else is asked for: duplicates, where they have been looked for."""
    found = session.execute("select count(*) > 0 from groups where relation = 'duplicates'").fetchall()
    return ("duplicate_group",) if found[0][0] else ()


def duplicates_told(session: Session, group_by: Sequence[str]) -> str | None:
    """A warning where duplicates may be on both sides of a split; None where they are not."""
    if not {"duplicate_group", "duplicate_pair"} & set(group_by):
        known = session.execute(_APART).fetchall()[0][0]
        if known:
            return (
                f"not kept together: {number_of(known, 'group')} may be in several splits; --group-by duplicate_group"
            )
    return not_looked_for(session, "dataset_rows")
