-- Models with vectors of more than one length.
select
  model_id,
  count(distinct len(vector)) as dimensions,
  min(len(vector)) as shortest,
  max(len(vector)) as longest
from raw.embeddings
group by model_id
having count(distinct len(vector)) > 1
