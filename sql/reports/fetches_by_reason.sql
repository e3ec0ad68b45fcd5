-- title: Downloads that failed, and why
-- grain: reason, the 30 most frequent; failed are the addresses of which it is the last word
-- chart: bars of attempts
with results as (
  select
    reason,
    count(*) as failed
  from latest_fetches
  where outcome = 'failed'
  group by reason
)

select
  f.reason,
  count(*) as attempts,
  coalesce(any_value(r.failed), 0) as failed,
  count(distinct f.host) as hosts,
  any_value(f.message order by f.url) as example,
  min(f.url) as one_url
from fetches as f
left join results as r on f.reason = r.reason
where f.reason is not null
group by f.reason
order by attempts desc, f.reason asc
limit 30
