-- title: Labels
-- grain: task and label, the 30 most frequent
-- chart: bars of images
select
  task,
  label,
  count(distinct image_id) as images,
  count(distinct annotator) as annotators
from current_labels
group by task, label
order by images desc, task asc, label asc
limit 30
