-- title: Outliers, the oddest first
-- grain: model_id, image_id
-- parameter $model: the model_id, or how it begins; '' for all models
-- parameter $share: share of each model's images to list, such as 0.01; of those below the median
-- an only image has no neighbours, and nothing is missing
with searched as (
  select model_id
  from neighbours
  union all
  select model_id
  from embeddings
  where norm > 0
  group by model_id
  having count(*) = 1
),

asked as (
  select
    if(
      count(*) > 0,
      $model,
      error('no neighbours' || if($model = '', '', ' of a model ' || $model) || ': run curate neighbours')
    ) as model,
    $share::double as share
  from searched
  where starts_with(model_id, $model)
),

places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  group by image_id
)

select
  o.model_id,
  o.image_id,
  p.origin,
  round(o.mean_similarity, 4) as mean_similarity,
  round(o.robust_z, 2) as robust_z,
  round(o.percentile, 4) as percentile,
  o.nearest_id,
  round(o.nearest_similarity, 4) as nearest_similarity
from outliers as o
cross join asked as a
left join places as p on o.image_id = p.image_id
where starts_with(o.model_id, a.model) and o.percentile < a.share and o.mean_similarity < o.median_similarity
order by o.model_id, o.mean_similarity, o.image_id
