-- title: Records by licence
-- grain: licence and what it allows, the 30 most frequent
-- chart: bars of records
with pictured as (
  select distinct
    provider,
    source_id
  from record_images
)

select
  coalesce(r.licence, 'unknown') as licence,
  r.reusability,
  count(*) as records,
  count(p.source_id) as with_picture
from records as r
left join pictured as p on r.provider = p.provider and r.source_id = p.source_id
group by r.licence, r.reusability
order by records desc, licence asc, r.reusability asc
limit 30
