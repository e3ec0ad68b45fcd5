-- title: Proof that forgotten pictures are out
-- grain: table_name; 0 rows everywhere is the proof
-- parameters: none
select
  table_name,
  rows_left
from forgotten_rows
order by table_name asc
