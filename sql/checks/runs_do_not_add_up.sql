-- Ended runs of which read is not written + already_present + rejected.
select
  run_id,
  job,
  read,
  written,
  already_present,
  rejected
from runs
where
  status <> 'running'
  and coalesce(read, -1) <> coalesce(written, 0) + coalesce(already_present, 0) + coalesce(rejected, 0)
