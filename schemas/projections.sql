create table projections (
  model_id varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  method varchar not null,
  x double not null,
  y double not null,
  run_id varchar not null,
  computed_at timestamptz not null,
  check (x between -1 and 1),
  check (y between -1 and 1),
  primary key (model_id, image_id)
);
comment on table projections is 'One row per model and image of the map: a place in two dimensions, near to what is alike. Replaced as a whole, model by model.';
comment on column projections.model_id is 'The model whose vectors were projected (embeddings.model_id).';
comment on column projections.image_id is 'The image (images.image_id).';
comment on column projections.method is 'How it was projected: tsne or pca.';
comment on column projections.x is 'First coordinate, -1 to 1 over all points.';
comment on column projections.y is 'Second coordinate, -1 to 1 over all points.';
comment on column projections.run_id is 'The run that wrote this row.';
comment on column projections.computed_at is 'When the row was computed.';
