-- Failures of a run that is not in `runs`.
select
  f.run_id,
  f.job,
  f.item
from failures as f
anti join runs as r on f.run_id = r.run_id
