-- title: Classes by what is wrong with their labels
-- grain: task, model_id, label; the 30 with the most issues
-- chart: bars of issues
select
  label,
  task,
  images,
  issues,
  round(label_noise, 3) as label_noise,
  round(inverse_label_noise, 3) as inverse_label_noise,
  most_confused_with
from label_classes
where issues > 0
order by issues desc, task asc, label asc, model_id asc
limit 30
