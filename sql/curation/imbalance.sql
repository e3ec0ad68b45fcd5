-- title: Classes of a task, the largest first
-- grain: label
-- parameter $task: the task
with asked as (
  select if(count(*) > 0, $task, error('no labels of a task ' || $task)) as task
  from labels
  where task = $task
)

select
  b.label,
  b.images,
  round(b.share, 4) as share,
  round(b.ratio_to_largest, 4) as ratio_to_largest,
  b.classes,
  round(b.effective_classes, 2) as effective_classes
from class_balance as b
inner join asked as a on b.task = a.task
order by b.images desc, b.label asc
