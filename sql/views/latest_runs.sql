-- grain: run_id. The last state of each run; status running means killed, or still at work.
select *
from runs
qualify row_number() over (partition by run_id order by finished_at desc nulls last) = 1
