-- Vectors whose norm is absent, not finite, or not the length of the vector.
select
  image_id,
  model_id,
  norm,
  sqrt(list_dot_product(vector, vector)) as length
from raw.embeddings
where
  norm is null
  or not isfinite(norm)
  or list_dot_product(vector, vector) is null
  or not isfinite(list_dot_product(vector, vector))
  or abs(norm - sqrt(list_dot_product(vector, vector))) > 1e-3 * greatest(norm, 1e-6)
