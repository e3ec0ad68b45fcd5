-- title: Label issues
-- grain: entry (an image, a task and a model; the least certain label first)
-- layout: grid
select
  row_number() over (order by label_quality, task, model_id, image_id) as entry,
  concat(array_to_string(given_labels, ', '), ' → ', array_to_string(suggested_labels, ', '), '?') as heading,
  1 as place,
  image_id,
  concat(task, ', label quality ', round(label_quality, 3)) as note
from label_issues
where is_issue
