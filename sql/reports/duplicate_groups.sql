-- title: Largest groups with the same pixels
-- grain: pixel_hash, width_px, height_px, mode, the 20 largest groups
with largest as (
  select *
  from duplicates
  order by images desc, pixel_hash asc, width_px asc, mode asc
  limit 20
)

select
  g.pixel_hash[1:16] as pixel_hash,
  g.width_px,
  g.height_px,
  g.mode,
  g.images,
  g.spare_bytes::bigint as spare_bytes,
  min(s.origin) as one_place
from largest as g
left join sightings as s on list_contains(g.image_ids, s.image_id)
group by all
order by g.images desc, pixel_hash asc, g.width_px asc, g.mode asc
