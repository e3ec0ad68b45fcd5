-- Addresses of which a run's attempts have gaps, or end with one that says that another followed. A run that was
-- stopped may have been before the next attempt.
with attempts as (
  select
    f.url,
    f.run_id,
    count(*) as attempts,
    max(f.attempt) as last_attempt,
    max_by(f.outcome, f.attempt) as last_outcome
  from fetches as f
  group by f.url, f.run_id
)

select
  a.url,
  a.run_id,
  a.attempts,
  a.last_attempt,
  a.last_outcome
from attempts as a
left join latest_runs as r on a.run_id = r.run_id
where a.attempts <> a.last_attempt or (a.last_outcome = 'retried' and r.status = 'succeeded')
