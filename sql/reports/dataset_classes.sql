-- title: Splits and classes of the data sets
-- grain: newest version of a dataset, split or fold, label; the 60 largest
-- chart: bars of images
with newest as (
  select
    dataset,
    max(dataset_version) as dataset_version
  from datasets
  group by dataset
),

labelled as (
  select
    d.dataset,
    coalesce(d.split, 'fold ' || d.fold) as split,
    unnest(if(len(d.labels) = 0, ['without label'], d.labels)) as label
  from dataset_images as d
  inner join newest as n on d.dataset = n.dataset and d.dataset_version = n.dataset_version
),

counted as (
  select
    dataset,
    label,
    split,
    count(*) as images
  from labelled
  group by dataset, label, split
)

select
  label,
  dataset,
  split,
  images,
  round(100.0 * images / sum(images) over (partition by dataset, split), 1)::double as percent_of_split
from counted
order by dataset asc, sum(images) over (partition by dataset, label) desc, label asc, split asc
limit 60
