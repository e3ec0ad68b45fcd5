-- title: Labels that are probably wrong
-- grain: task, model_id
-- chart: bars of issues
select
  task,
  model_id,
  count(*) as images,
  count(*) filter (where is_issue) as issues,
  round(100.0 * count(*) filter (where is_issue) / count(*), 1)::double as percent,
  round(avg(label_quality), 3) as mean_label_quality
from label_issues
group by task, model_id
order by issues desc, task asc, model_id asc
