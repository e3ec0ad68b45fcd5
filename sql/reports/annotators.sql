-- title: Annotators, the least certain first
-- grain: task, annotator; 30 of them
-- chart: bars of images
select
  annotator,
  task,
  images,
  round(quality, 3) as quality,
  round(agreement_with_consensus, 3) as agreement_with_consensus,
  worst_class
from annotators
order by quality asc nulls last, agreement_with_consensus asc, images desc, task asc, annotator asc
limit 30
