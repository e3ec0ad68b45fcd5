-- title: Duplicates
-- grain: entry (a group, the largest first), place (the keeper first, then by distance); 50 images of a group
-- layout: rows
with keepers as (
  select
    relation,
    group_id,
    size,
    row_number() over (order by size desc, relation asc, group_id asc) as entry
  from groups
  where role = 'keeper'
),

members as (
  select
    *,
    row_number() over (
      partition by relation, group_id order by if(role = 'keeper', 0, 1), distance, image_id
    ) as place
  from groups
)

select
  k.entry,
  concat(
    k.size, ' pictures', if(k.size > 50, ', 50 of them shown', ''), if(k.relation = 'fastdup', ' (fastdup)', '')
  ) as heading,
  m.place,
  m.image_id,
  case
    when m.role = 'keeper' then 'to keep'
    when m.via = 'pixels' then 'the same pixels'
    when m.via = 'phash' then concat('phash, ', round(m.distance)::integer, ' of 64 bits')
    when m.distance is null then m.via
    else concat(m.via, ', distance ', round(m.distance, 4))
  end as note
from keepers as k
inner join members as m on k.relation = m.relation and k.group_id = m.group_id
where m.place <= 50
