"""What a data set holds and how two versions differ: queries over `datasets` and `dataset_images`."""

import json
from collections.abc import Sequence

from imagelake.datasets.versions import Version

LIST = """
with counted as (select dataset, dataset_version, count(*) as images from dataset_images group by all)
select
  d.dataset, d.dataset_version, coalesce(c.images, 0) as images, len(d.classes) as classes, d.task, d.splits, d.folds,
  d.created_at
from datasets as d
left join counted as c on d.dataset = c.dataset and d.dataset_version = c.dataset_version
order by d.dataset, d.dataset_version
"""
GROUPS = """
with sizes as (
  select count(*) as images
  from dataset_images
  where dataset = $name and dataset_version = $number
  group by group_id
)
select count(*), count(*) filter (images > 1), coalesce(max(images), 0), coalesce(sum(images), 0)::bigint from sizes
"""
# grain: class, and one line for all images
COUNTS = """
with images as (
  select coalesce(split, 'fold ' || fold) as place, labels
  from dataset_images
  where dataset = $name and dataset_version = $number
),
cells as (
  select unnest(labels) as class, place, false as is_all from images
  union all
  select null as class, place, true as is_all from images
)
select if(is_all, 'all images', class) as class, {columns}, count(*) as images
from cells
group by is_all, class
order by is_all, class
"""
_COLUMN = "count(*) filter (place = {place}) as {name}"
# grain: image and change; an image may be both relabelled and moved
DIFF = """
with b as (
  select image_id, labels, coalesce(split, 'fold ' || fold) as place
  from dataset_images
  where dataset = $name_before and dataset_version = $before
),
a as (
  select image_id, labels, coalesce(split, 'fold ' || fold) as place
  from dataset_images
  where dataset = $name_after and dataset_version = $after
),
both_of_them as (
  select
    coalesce(b.image_id, a.image_id) as image_id, b.labels as labels_before, a.labels as labels_after,
    b.place as place_before, a.place as place_after,
    list_filter(
      [
        if(b.image_id is null, 'added', null),
        if(a.image_id is null, 'removed', null),
        if(b.labels <> a.labels, 'relabelled', null),
        if(b.place <> a.place, 'moved', null)
      ],
      lambda change: change is not null
    ) as changes
  from b
  full join a on b.image_id = a.image_id
)
select image_id, unnest(changes) as change, labels_before, labels_after, place_before, place_after
from both_of_them
"""
DIFF_COUNTS = f"""
with changed as ({DIFF})
select k.change, count(c.image_id) as images
from (select unnest(['added', 'removed', 'relabelled', 'moved']) as change, unnest([1, 2, 3, 4]) as place) as k
left join changed as c on k.change = c.change
group by k.change, k.place
order by k.place
"""


def counts_statement(version: Version) -> str:
    """COUNTS with a column per split or fold, in the order of the shares."""
    folds = version.row["folds"]
    names = [f"fold {i}" for i in range(folds)] if folds else list(version.row["splits"])
    columns = [_COLUMN.format(place=_text(name), name='"' + name.replace('"', '""') + '"') for name in names]
    return COUNTS.format(columns=", ".join(columns))


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def described(version: Version, groups: Sequence[int]) -> str:
    """What was asked for, as lines of text; `groups` are the counts of GROUPS."""
    row = version.row
    lines = {
        "data set": version.label,
        "images": f"{groups[3]:,}",
        "task": row["task"],
        "classes": len(row["classes"]),
        "splits": ", ".join(f"{name} {share:.4g}" for name, share in row["splits"].items()) or None,
        "folds": row["folds"],
        "never separated": ", ".join(row["group_by"]) or "nothing",
        "groups": f"{groups[0]:,}, of which {groups[1]:,} hold several images (the largest {groups[2]:,})",
        "per class": row["per_class"],
        "seed": row["seed"],
        "statement": " ".join(row["statement"].split()),
        "parameters": json.dumps(row["parameters"], ensure_ascii=False) if row["parameters"] else None,
        "table versions": ", ".join(f"{name} {number}" for name, number in sorted(row["table_versions"].items())),
        "made": f"{row['created_at']:%Y-%m-%d %H:%M:%S} UTC by run {row['run_id']}",
    }
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)
