-- title: Harvests
-- grain: provider and query, or list; the 30 newest
with asked as (
  select
    provider,
    query,
    sum(new_records)::bigint as records,
    count(*) as pages,
    max_by(total, (harvested_at, page)) as total,
    if(max_by(next_cursor is null, (harvested_at, page)), 'yes', 'no') as is_finished,
    max(harvested_at) as last_at
  from harvest_pages
  group by provider, query
),

-- lists, and harvests of single records, have no pages
listed as (
  select
    r.provider,
    coalesce(r.query, r.dataset) as query,
    count(*) as records,
    null::bigint as pages,
    null::bigint as total,
    null::varchar as is_finished,
    max(r.harvested_at) as last_at
  from records as r
  anti join asked as a on r.provider = a.provider and r.query = a.query
  group by r.provider, coalesce(r.query, r.dataset)
)

select *
from asked
union all by name
select *
from listed
order by last_at desc, provider asc, query asc
limit 30
