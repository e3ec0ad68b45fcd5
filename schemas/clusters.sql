create table clusters (
  model_id varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  cluster integer not null check (cluster >= 0),
  similarity double not null check (similarity between -1 and 1),
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (model_id, image_id)
);
comment on table clusters is 'One row per model and image: the cluster of its vector by spherical k-means. Replaced as a whole, model by model.';
comment on column clusters.model_id is 'The model whose vectors were clustered (embeddings.model_id).';
comment on column clusters.image_id is 'The image (images.image_id).';
comment on column clusters.cluster is 'Number of the cluster; 0 is the largest.';
comment on column clusters.similarity is 'Cosine of the vector and the centre of its cluster.';
comment on column clusters.run_id is 'The run that wrote this row.';
comment on column clusters.computed_at is 'When the row was computed.';
