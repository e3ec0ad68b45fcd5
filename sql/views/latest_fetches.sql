-- grain: url. The newest attempt of each address.
select *
from fetches
qualify row_number() over (partition by url order by fetched_at desc, run_id desc, attempt desc) = 1
