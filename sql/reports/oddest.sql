-- title: Outliers, the oddest
-- grain: model_id, image_id; the 20 least like their neighbours
with few as (
  select *
  from outliers
  order by mean_similarity, model_id, image_id
  limit 20
),

places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  where image_id in (select few.image_id from few)
  group by image_id
)

select
  coalesce(p.origin, f.image_id) as image,
  round(f.mean_similarity, 3) as mean_similarity,
  round(f.nearest_similarity, 3) as nearest_similarity,
  round(f.robust_z, 1) as robust_z,
  f.model_id
from few as f
left join places as p on f.image_id = p.image_id
order by f.mean_similarity, f.model_id, f.image_id
