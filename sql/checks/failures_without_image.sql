-- Failures of an image that is not in `images`.
select
  f.run_id,
  f.job,
  f.item,
  f.image_id
from failures as f
anti join images as i on f.image_id = i.image_id
where f.image_id is not null
