-- Fetches that name an image that is not in `images`, and stored ones that name none.
select
  f.url,
  f.run_id,
  f.attempt,
  f.outcome,
  f.image_id
from fetches as f
anti join images as i on f.image_id = i.image_id
where f.image_id is not null or f.outcome = 'stored'
