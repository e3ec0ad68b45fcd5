-- grain: model_id, image_id. How alone an image is among its stored neighbours; the least mean_similarity is the oddest.
-- percentile: share of the model's images that are odder: 0 for all where all are equal. median_similarity: the median of
-- mean_similarity. robust_z: 0.6745 x (mean_similarity - median) / median absolute deviation (Iglewicz and Hoaglin 1993,
-- who call -3.5 or less an outlier); null where more than half are equal.
with closeness as (
  select
    model_id,
    image_id,
    count(*) as neighbours,
    avg(similarity) as mean_similarity,
    max(similarity) as nearest_similarity,
    min_by(other_id, rank) as nearest_id
  from neighbours
  group by model_id, image_id
),

spreads as (
  select
    model_id,
    count(*) as images,
    median(mean_similarity) as middle,
    mad(mean_similarity) as deviation
  from closeness
  group by model_id
)

select
  c.model_id,
  c.image_id,
  c.neighbours,
  c.mean_similarity,
  c.nearest_similarity,
  c.nearest_id,
  s.middle as median_similarity,
  (rank() over (partition by c.model_id order by c.mean_similarity) - 1) / s.images as percentile,
  0.6745 * (c.mean_similarity - s.middle) / nullif(s.deviation, 0) as robust_z
from closeness as c
inner join spreads as s on c.model_id = s.model_id
