-- title: Pictures
-- grain: image, a choice by a hash of its id that stays the same as the lake grows
with chosen as (
  select image_id
  from thumbnails
  order by hash(image_id), image_id
  limit 60
),

places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  where image_id in (select chosen.image_id from chosen)
  group by image_id
)

select
  t.image_id,
  t.jpeg,
  t.width_px,
  t.height_px,
  i.format,
  i.width_px as original_width_px,
  i.height_px as original_height_px,
  coalesce(p.origin, i.uri) as origin
from thumbnails as t
inner join chosen as c on t.image_id = c.image_id
inner join images as i on t.image_id = i.image_id
left join places as p on t.image_id = p.image_id
order by hash(t.image_id), t.image_id
