-- title: Duplicates
-- grain: kind of equality
-- chart: bars of spare
with places as (
  select count(*) as members
  from sightings
  group by image_id
),

pixels as (
  select images as members
  from duplicates
),

looks as (
  select count(*) as members
  from "hashes"
  group by phash
),

counted as (
  select
    1 as place,
    'the same bytes in several places' as kind,
    count(*) filter (members > 1) as groups,
    coalesce(sum(members - 1), 0)::bigint as spare
  from places
  union all
  select
    2 as place,
    'the same pixels in other files' as kind,
    count(*) as groups,
    coalesce(sum(members - 1), 0)::bigint as spare
  from pixels
  union all
  select
    3 as place,
    'the same perceptual hash (alike, or both without detail)' as kind,
    count(*) filter (members > 1) as groups,
    coalesce(sum(members - 1), 0)::bigint as spare
  from looks
)

select
  kind,
  groups,
  spare
from counted
order by place
