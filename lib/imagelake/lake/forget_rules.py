"""Which rows name forgotten images, and what becomes of them; SQL for `lake.forget_rows`.

Tables that name images are found by their columns, so a new table is included by itself. What is needed to find bytes
and copies (`images`, `sightings`, `dataset_images`) loses its rows last: after a kill the next run still finds them.
"""

from dataclasses import dataclass

import pyarrow as pa

from imagelake.lake.pending import bound
from imagelake.lake.session import Session
from imagelake.lake.tables import TableDef, table_def, table_names

GONE = pa.schema([("image_id", pa.string())])
LAST = ("dataset_images", "sightings", "images")
RECORD_TABLES = ("record_labels", "web_resources", "records")
_ID_COLUMNS = {"image_id", "other_id", "group_id", "parent_id"}


@dataclass(frozen=True)
class Rule:
    """How the rows of a table that name forgotten images change; SQL over the session's tables.

    `rows` are some rows of the table, `gone` the forgotten images.

    Args:
        hit: condition on a row `r` that changes or goes.
        kept: query over `rows as r` that gives what stays.
    """

    hit: str
    kept: str


def id_columns(definition: TableDef) -> list[str]:
    """The columns that name images."""
    names = [f.name for f in definition.schema if pa.types.is_string(f.type)]
    return [n for n in names if n in _ID_COLUMNS or n.endswith("_image_id")]


def tables_in_order(*, records: bool) -> list[str]:
    """The tables that name images, all but `forgotten`, in the order in which their rows go; with records, these too.

    Records go before what tells of which images they are, `records` last of them.
    """
    naming = {n for n in table_names() if id_columns(table_def(n))} - {"forgotten"}
    return [*(RECORD_TABLES if records else ()), *sorted(naming.difference(LAST)), *LAST]


# What was fetched for a forgotten image counts as failed from now on, so that its address is never asked for again.
_FETCHES = """
select
  r.* replace (
    if(r.image_id in (from gone), 'failed', r.outcome) as outcome,
    if(r.image_id in (from gone), 'forgotten', r.reason) as reason,
    if(r.image_id in (from gone), 'taken out of the lake', r.message) as message,
    if(r.image_id in (from gone), null, r.image_id) as image_id
  )
from rows as r
"""
# A group without its keeper is no group, and one image alone neither; the others say their new size.
_GROUPS_HIT = """
r.image_id in (from gone) or (r.relation, r.group_id) in (
  select (g.relation, g.group_id) from groups as g where g.image_id in (from gone)
)
"""
_GROUPS = """
select r.* replace (left_over.size::integer as size)
from rows as r
join (
  select relation, group_id, count(*) as size
  from groups
  where image_id not in (from gone) and group_id not in (from gone)
  group by relation, group_id
  having count(*) > 1
) as left_over on r.relation = left_over.relation and r.group_id = left_over.group_id
where r.image_id not in (from gone)
"""
# A group of a data set is named by the least image_id of those that are left.
_DATASET_IMAGES = """
select r.* replace (coalesce(left_over.group_id, r.group_id) as group_id)
from rows as r
left join (
  select dataset, dataset_version, group_id as named, min(image_id) as group_id
  from dataset_images
  where group_id in (from gone) and image_id not in (from gone)
  group by dataset, dataset_version, group_id
) as left_over
on r.dataset = left_over.dataset and r.dataset_version = left_over.dataset_version and r.group_id = left_over.named
where r.image_id not in (from gone)
"""
_RECORDS = "exists (select 1 from gone_records as g where g.provider = r.provider and g.source_id = r.source_id)"


def rule_of(name: str) -> Rule:
    """What becomes of the rows of a table; of a table of records, those of `gone_records` go."""
    if name in RECORD_TABLES:
        return Rule(_RECORDS, f"select r.* from rows as r where not {_RECORDS}")
    hit = " or ".join(f"coalesce(r.{column} in (from gone), false)" for column in id_columns(table_def(name)))
    special = {
        "fetches": Rule(hit, _FETCHES),
        "groups": Rule(_GROUPS_HIT, _GROUPS),
        "dataset_images": Rule(hit, _DATASET_IMAGES),
    }
    return special.get(name) or Rule(hit, f"select r.* from rows as r where not ({hit})")


def gone_in(session: Session, also: pa.Table | None = None) -> int:
    """Make the table `gone` of all forgotten images, and of those `also`; returns how many they are."""
    bound(session)
    session.con.register("also", also.select(["image_id"]) if also is not None else pa.table({"image_id": []}, GONE))
    session.execute(
        "create or replace temp table gone as select image_id from forgotten union select image_id from also"
    )
    return int(session.execute("select count(*) from gone").fetchall()[0][0])


_GONE_RECORDS = """
create or replace temp table gone_records as
select provider, source_id from record_images where image_id in (from gone)
union
select provider, source_id from records where "sha256" in (from gone)
union
select r.provider, r.source_id
from records as r
join fetches as f on r.media_url = f.media_url
where f.reason = 'forgotten'
"""


def gone_records_in(session: Session) -> None:
    """Make the table `gone_records` of the records whose pictures are in `gone` or were fetched and forgotten."""
    session.execute(_GONE_RECORDS)


def rows_of(session: Session, name: str) -> int:
    """Number of rows of a table, all versions of extractors included, that change or go."""
    sql = f"select count(*) from raw.{name} as r where {rule_of(name).hit}"
    return int(session.execute(sql).fetchall()[0][0])
