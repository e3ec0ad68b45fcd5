-- title: Images tied to an image of another split
-- grain: newest version of a dataset, and reason; neighbours from a cosine of 0.95, pictures of one camera within 2 s
-- chart: bars of images
with newest as (
  select
    dataset,
    max(dataset_version) as dataset_version
  from datasets
  group by dataset
)

select
  n.dataset,
  coalesce(l.reason, 'none found') as reason,
  count(distinct l.image_id) as images,
  array_to_string(list_sort(list(distinct l.split) filter (l.split is not null)), ', ') as splits,
  min(l.image_id) as one_image
from newest as n
left join leaks as l
  on
    l.kind = 'data set' and n.dataset = l.name and n.dataset_version = l.version
    and (l.reason <> 'neighbour' or l.similarity >= 0.95) and (l.reason <> 'burst' or l.seconds <= 2)
group by n.dataset, l.reason
order by n.dataset asc, images desc, reason asc
