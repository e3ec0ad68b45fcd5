-- title: Runs
-- grain: run, the 20 newest
select
  run_id,
  job,
  if(status = 'running', 'at work, or killed', status) as status,
  started_at,
  round(epoch(finished_at - started_at), 1)::double as seconds,
  read,
  written,
  already_present,
  rejected
from latest_runs
order by started_at desc, run_id desc
limit 20
