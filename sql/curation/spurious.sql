-- title: What the labels of a task go with, and should not depend on
-- grain: property, the strongest first
-- parameter $task: the task
-- parameter $min_strength: Cramer's V from which to list a property, such as 0.2; 0 for all, also what may be chance
with asked as (
  select
    if(count(*) > 0, $task, error('no labels of a task ' || $task)) as task,
    $min_strength::double as min_strength
  from labels
  where task = $task
)

select
  c.property,
  round(c.strength, 3) as strength,
  round(c.z, 1) as z,
  c.label,
  c.value,
  c.images,
  round(c.share_of_label, 3) as share_of_label,
  round(c.share_overall, 3) as share_overall
from label_correlations as c
inner join asked as a on c.task = a.task
where c.strength >= a.min_strength and (c.z >= 4 or a.min_strength = 0)
order by c.strength desc, c.z desc, c.property asc
