-- title: Embedding models
-- grain: model_id
select
  model_id,
  count(*) as images,
  max(len(vector)) as dimensions,
  round(avg(norm), 3) as mean_norm,
  max(computed_at) as newest
from embeddings
group by model_id
order by model_id
