-- title: How far the labels of a task can be trusted, least first
-- grain: image_id, model_id
-- parameter $task: the task
with asked as (
  select if(count(*) > 0, $task, error('no label issues of task ' || $task || ': run curate label-issues')) as task
  from label_issues
  where task = $task
),

places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  group by image_id
)

select
  l.image_id,
  l.given_labels,
  l.suggested_labels,
  l.label_quality,
  l.is_issue,
  l.model_id,
  p.origin
from label_issues as l
inner join asked as a on l.task = a.task
left join places as p on l.image_id = p.image_id
order by l.is_issue desc, l.label_quality asc, l.image_id asc, l.model_id asc
