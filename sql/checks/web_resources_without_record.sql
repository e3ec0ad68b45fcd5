-- Files of a record that is not in `records`.
select
  w.provider,
  w.source_id,
  w.url
from web_resources as w
anti join records as r on w.provider = r.provider and w.source_id = r.source_id
