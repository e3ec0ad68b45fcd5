-- title: Map: alike pictures are near each other
-- grain: model_id, image_id; of at most 5,000 images, chosen by a hash of their ids
-- chart: map of kind
with models as (
  select
    model_id,
    count(*) as images
  from projections
  group by model_id
  order by images desc, model_id asc
  limit 1
),

points as (
  select p.*
  from projections as p
  inner join models as m on p.model_id = m.model_id
  order by hash(p.image_id), p.image_id
  limit 5000
),

-- coloured by the task with the most labels here, else by cluster
tasks as (
  select l.task
  from current_labels as l
  inner join points as p on l.image_id = p.image_id
  where l.task <> 'individual'
  group by l.task
  order by count(distinct l.image_id) desc, l.task asc
  limit 1
),

labelled as (
  select
    l.image_id,
    min(l.label) as kind
  from current_labels as l
  inner join tasks as t on l.task = t.task
  group by l.image_id
),

kinds as (
  select
    p.model_id,
    p.image_id,
    p.x,
    p.y,
    coalesce(l.kind, if(exists (select 1 from tasks), 'no label', 'cluster ' || c.cluster), 'images') as kind
  from points as p
  left join labelled as l on p.image_id = l.image_id
  left join clusters as c on p.model_id = c.model_id and p.image_id = c.image_id
),

ranked as (
  select
    kind,
    row_number() over (order by count(*) desc, kind asc) as place
  from kinds
  group by kind
)

select
  if(r.place <= 9, k.kind, 'others') as kind,
  k.model_id,
  k.image_id,
  round(k.x, 4) as x,
  round(k.y, 4) as y
from kinds as k
inner join ranked as r on k.kind = r.kind
order by least(r.place, 10), k.image_id
