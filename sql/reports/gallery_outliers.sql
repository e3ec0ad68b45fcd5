-- title: Outliers
-- grain: entry (an image of the oddest 20th of its model, the oddest first, 500 in all), place (the image, then the one most like it)
-- layout: rows
with oddest as (
  select
    *,
    row_number() over (order by mean_similarity, model_id, image_id) as entry
  from outliers
  where percentile < 0.05 and mean_similarity < median_similarity
),

few as (
  select
    *,
    concat('mean similarity ', round(mean_similarity, 3), ' (', model_id, ')') as heading
  from oddest
  where entry <= 500
)

select
  entry,
  heading,
  1 as place,
  image_id,
  if(robust_z is null, 'odd', concat('odd, robust z ', round(robust_z, 1))) as note
from few
union all
select
  entry,
  heading,
  2 as place,
  nearest_id as image_id,
  concat('its nearest, ', round(nearest_similarity, 3)) as note
from few
