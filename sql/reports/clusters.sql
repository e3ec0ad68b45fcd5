-- title: Clusters of what looks alike
-- grain: model_id, cluster; the 30 largest
-- chart: bars of images
with labelled as (
  select
    c.model_id,
    c.cluster,
    l.task,
    l.label,
    count(distinct c.image_id) as images
  from clusters as c
  inner join current_labels as l on c.image_id = l.image_id
  group by all
),

named as (
  select
    model_id,
    cluster,
    first(concat(label, ' (', images, ')') order by images desc, task asc, label asc) as most_frequent_label
  from labelled
  group by model_id, cluster
),

counted as (
  select
    model_id,
    cluster,
    count(*) as images,
    round(avg(similarity), 3) as mean_similarity
  from clusters
  group by model_id, cluster
)

select
  concat('cluster ', c.cluster) as cluster,
  c.images,
  c.mean_similarity,
  n.most_frequent_label,
  c.model_id
from counted as c
left join named as n on c.model_id = n.model_id and c.cluster = n.cluster
order by c.images desc, c.model_id asc, c.cluster asc
limit 30
