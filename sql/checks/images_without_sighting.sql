-- Images that were found nowhere. Those of a run that was killed, or is still at work, come with its next commit.
select
  i.image_id,
  i.uri,
  i.run_id
from images as i
inner join latest_runs as r on i.run_id = r.run_id
anti join sightings as s on i.image_id = s.image_id
where r.status <> 'running'
