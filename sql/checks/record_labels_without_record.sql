-- Labels of a record that is not in `records`.
select
  l.provider,
  l.source_id,
  l.task,
  l.label
from record_labels as l
anti join records as r on l.provider = r.provider and l.source_id = r.source_id
