-- title: Dates of capture
-- grain: month, or year where the pictures span more than three years
-- chart: columns of images
with span as (
  select max(year(captured_at)) - min(year(captured_at)) > 3 as is_long
  from exif
),

dated as (
  select if(s.is_long, strftime(e.captured_at, '%Y'), strftime(e.captured_at, '%Y-%m')) as period
  from exif as e
  cross join span as s
  where e.captured_at is not null
)

select
  period,
  count(*) as images
from dated
group by period
order by period
