-- grain: task, label. How many images have each label, against the others of the task.
-- effective_classes: exp of the entropy of the classes' shares (Hill number of order 1; Jost 2006, doi
-- 10.1111/j.2006.0030-1299.14714.x): as many equal classes would be as diverse; classes where all are equal.
with counted as (
  select
    task,
    label,
    count(distinct image_id) as images
  from current_labels
  group by task, label
),

tasks as (
  select
    task,
    count(distinct image_id) as images
  from current_labels
  group by task
),

shares as (
  select
    *,
    images / sum(images) over (partition by task) as part
  from counted
)

select
  s.task,
  s.label,
  s.images,
  s.images / t.images as share,
  s.images / max(s.images) over (partition by s.task) as ratio_to_largest,
  count(*) over (partition by s.task) as classes,
  exp(-sum(s.part * ln(s.part)) over (partition by s.task)) as effective_classes
from shares as s
inner join tasks as t on s.task = t.task
