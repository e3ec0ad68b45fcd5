-- title: Data sets
-- grain: dataset, dataset_version; the 30 newest
with shares as (
  select
    dataset,
    dataset_version,
    unnest(map_keys(splits)) as split,
    unnest(map_values(splits)) as share
  from datasets
),

listed as (
  select
    dataset,
    dataset_version,
    string_agg(concat(split, ' ', share), ', ' order by share desc, split asc) as splits
  from shares
  group by dataset, dataset_version
),

-- not what a data set had when it was made: pictures may have been forgotten since
counted as (
  select
    dataset,
    dataset_version,
    count(*) as images
  from dataset_images
  group by dataset, dataset_version
)

select
  d.dataset,
  d.dataset_version as version,
  d.task,
  coalesce(c.images, 0) as images,
  len(d.classes) as classes,
  coalesce(l.splits, d.folds || ' folds') as splits,
  array_to_string(d.group_by, ', ') as never_separated,
  d.created_at
from datasets as d
left join listed as l on d.dataset = l.dataset and d.dataset_version = l.dataset_version
left join counted as c on d.dataset = c.dataset and d.dataset_version = c.dataset_version
order by d.created_at desc, d.dataset asc, d.dataset_version desc
limit 30
