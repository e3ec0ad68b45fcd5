-- grain: provider, source_id, image_id. The pictures of each record: found at its address, or fetched for it.
with found as (
  select
    origin as media_url,
    image_id
  from sightings
  union
  select
    media_url,
    image_id
  from fetches
  where image_id is not null
)

select
  r.provider,
  r.source_id,
  f.image_id
from records as r
inner join found as f on r.media_url = f.media_url
