-- title: Balance of the classes
-- grain: task
-- chart: bars of effective_classes
select
  task,
  any_value(classes) as classes,
  round(any_value(effective_classes), 1) as effective_classes,
  first(concat(label, ' (', images, ')') order by images desc, label asc) as largest,
  first(concat(label, ' (', images, ')') order by images asc, label asc) as smallest,
  round(min(ratio_to_largest), 3) as smallest_to_largest
from class_balance
group by task
order by smallest_to_largest, task
limit 30
