-- title: Images whose labels should be looked at, worst first, with the records that they come from
-- grain: image_id and record; the label issues of the model that judged the task last
-- parameter $task: the task
with asked as (
  select
    if(count(*) > 0, $task, error('no label issues of task ' || $task || ': run curate label-issues')) as task,
    max_by(model_id, computed_at) as model_id
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
  array_to_string(l.given_labels, ', ') as given_label,
  array_to_string(l.suggested_labels, ', ') as predicted_label,
  l.label_quality,
  coalesce(r.source_id, l.image_id) as id,
  r.page_url as uri,
  coalesce(r.media_url, p.origin) as image_url,
  l.image_id
from label_issues as l
inner join asked as a on l.task = a.task and l.model_id = a.model_id
left join places as p on l.image_id = p.image_id
left join record_images as i on l.image_id = i.image_id
left join records as r on i.provider = r.provider and i.source_id = r.source_id
where l.is_issue
order by l.label_quality asc, l.image_id asc, id asc
