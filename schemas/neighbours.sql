create table neighbours (
  model_id varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  rank integer not null check (rank > 0),
  other_id varchar not null check (length(other_id) = 64),
  similarity double not null check (similarity between -1 and 1),
  run_id varchar not null,
  computed_at timestamptz not null,
  check (image_id <> other_id),
  primary key (model_id, image_id, rank)
);
comment on table neighbours is 'One row per model, image and rank: the k most similar other images. Replaced as a whole, model by model.';
comment on column neighbours.model_id is 'The model whose vectors were compared (embeddings.model_id).';
comment on column neighbours.image_id is 'The image (images.image_id).';
comment on column neighbours.rank is '1 is the most similar.';
comment on column neighbours.other_id is 'The similar image (images.image_id).';
comment on column neighbours.similarity is 'Cosine of the two vectors, rounded to 6 decimals.';
comment on column neighbours.run_id is 'The run that wrote this row.';
comment on column neighbours.computed_at is 'When the row was computed.';
