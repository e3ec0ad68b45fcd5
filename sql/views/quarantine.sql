-- grain: image_id. Images that dedupe calls duplicates of a better one; nothing is deleted, the keepers are not in it.
with places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  where image_id in (select g.image_id from groups as g)
  group by image_id
)

select
  g.image_id,
  g.group_id as keeper_id,
  g.via,
  g.distance,
  g.size,
  p.origin,
  k.origin as keeper_origin,
  g.run_id,
  g.found_at
from groups as g
left join places as p on g.image_id = p.image_id
left join places as k on g.group_id = k.image_id
where g.relation = 'duplicates' and g.role = 'member'
