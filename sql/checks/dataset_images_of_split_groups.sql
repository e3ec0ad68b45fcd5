-- Groups of a data set that are in more than one split or fold: the promise of `dataset create`.
select
  dataset,
  dataset_version,
  group_id,
  count(distinct coalesce(split, fold::varchar)) as places
from dataset_images
group by dataset, dataset_version, group_id
having count(distinct coalesce(split, fold::varchar)) > 1
