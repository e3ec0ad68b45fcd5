-- Vectors of pictures, by model. Grain: one row per image, model and version of the extractor.
-- A vector is as the model gives it; divide by norm for cosines. Its length is checked when it is written.
create table embeddings (
  image_id varchar not null check (length(image_id) = 64),
  model_id varchar not null check (model_id like '%:%@%'),
  vector float[] not null check (len(vector) > 0),
  norm double not null check (norm >= 0 and isfinite(norm)),
  version integer not null check (version >= 1),
  run_id varchar not null check (length(run_id) > 0),
  computed_at timestamptz not null,
  primary key (image_id, model_id, version)
);

comment on table embeddings is 'One row per image, model and version: what the model gives for the upright picture.';
comment on column embeddings.image_id is 'SHA-256 of the bytes of the file, lower-case hex; key of images.';
comment on column embeddings.model_id is '<kind>:<arch>/<weights>@<digest>[+bf16]; only vectors of one id compare.';
comment on column embeddings.vector is 'As the model gives it, not normalised; of the same length for one model_id.';
comment on column embeddings.norm is 'Euclidean length of vector; cosine = dot product / product of both norms.';
comment on column embeddings.version is 'Version of the extractor; the highest is the current one.';
comment on column embeddings.run_id is 'Run that computed the row; key of runs.';
comment on column embeddings.computed_at is 'When the vector was computed, UTC.';
