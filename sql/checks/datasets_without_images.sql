-- Data sets that have more images than they say, or none: fewer are there when some were forgotten.
with counted as (
  select
    dataset,
    dataset_version,
    count(*) as images
  from dataset_images
  group by dataset, dataset_version
)

select
  d.dataset,
  d.dataset_version,
  d.images as expected,
  coalesce(c.images, 0) as found
from datasets as d
left join counted as c on d.dataset = c.dataset and d.dataset_version = c.dataset_version
where coalesce(c.images, 0) > d.images or (c.images is null and d.images > (select count(*) from forgotten))
