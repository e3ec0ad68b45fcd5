-- title: Downloads by host
-- grain: host, the 30 with the most addresses; times are of attempts that were answered
-- chart: bars of addresses
with attempts as (
  select
    host,
    count(distinct url) as addresses,
    count(*) as attempts,
    count(*) filter (where outcome = 'retried') as retries,
    sum(bytes) as bytes,
    quantile_cont(elapsed_ms, [0.5, 0.95, 0.99]) filter (where http_status is not null) as ms
  from fetches
  group by host
),

results as (
  select
    host,
    count(*) filter (where outcome in ('stored', 'not_modified')) as fetched
  from latest_fetches
  group by host
)

select
  a.host,
  a.addresses,
  round(100.0 * r.fetched / a.addresses, 1)::double as percent_fetched,
  a.attempts,
  a.retries,
  a.bytes::bigint as bytes,
  round(a.ms[1], 1) as p50_ms,
  round(a.ms[2], 1) as p95_ms,
  round(a.ms[3], 1) as p99_ms
from attempts as a
inner join results as r on a.host = r.host
order by a.addresses desc, a.host asc
limit 30
