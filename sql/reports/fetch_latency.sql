-- title: Downloads by hour
-- grain: hour (UTC), the 48 newest; times are of attempts that were answered
-- chart: bars of attempts
select
  strftime(date_trunc('hour', fetched_at), '%Y-%m-%d %H:00') as hour,
  count(*) as attempts,
  count(*) filter (where outcome in ('stored', 'not_modified')) as fetched,
  round(sum(bytes) / 1e6, 1)::double as megabytes,
  round(median(first_byte_ms), 1) as first_byte_p50_ms,
  round(quantile_cont(elapsed_ms, 0.5) filter (where http_status is not null), 1) as p50_ms,
  round(quantile_cont(elapsed_ms, 0.95) filter (where http_status is not null), 1) as p95_ms,
  round(quantile_cont(elapsed_ms, 0.99) filter (where http_status is not null), 1) as p99_ms
from fetches
group by hour
order by hour desc
limit 48
