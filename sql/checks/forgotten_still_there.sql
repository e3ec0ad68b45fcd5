-- Tables with rows of images that were taken out: a run that was at work wrote them. `imagelake forget` again helps.
select
  table_name,
  rows_left
from forgotten_rows
where rows_left > 0
