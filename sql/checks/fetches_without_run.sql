-- Fetches of a run that is not in `runs`.
select
  f.url,
  f.run_id,
  f.attempt
from fetches as f
anti join runs as r on f.run_id = r.run_id
