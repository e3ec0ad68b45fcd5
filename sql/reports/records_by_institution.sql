-- title: Records by institution
-- grain: provider, institution and country, the 30 with the most records
-- chart: bars of records
with pictured as (
  select distinct
    provider,
    source_id
  from record_images
)

select
  r.provider,
  coalesce(r.institution, 'none given') as institution,
  r.country,
  count(*) as records,
  count(*) filter (where r.reusability = 'open') as open_records,
  count(p.source_id) as with_picture
from records as r
left join pictured as p on r.provider = p.provider and r.source_id = p.source_id
group by r.provider, r.institution, r.country
order by records desc, r.provider asc, institution asc
limit 30
