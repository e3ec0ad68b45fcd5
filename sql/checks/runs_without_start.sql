-- Runs that have ended, but whose start was never recorded.
with started as (
  select run_id
  from runs
  where status = 'running'
)

select
  e.run_id,
  e.job,
  e.status
from runs as e
anti join started as s on e.run_id = s.run_id
where e.status <> 'running'
