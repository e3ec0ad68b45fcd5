-- title: What was rejected, and why
-- grain: job, stage and reason of items that have not succeeded since
-- chart: bars of items
select
  job,
  stage,
  reason,
  count(*) as items,
  any_value(message order by item) as example,
  min(item) as one_item
from latest_failures
group by job, stage, reason
order by items desc, job asc, stage asc, reason asc
