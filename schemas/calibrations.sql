create table calibrations (
  run_id varchar not null,
  relation varchar not null check (relation in ('phash', 'embedding')),
  model_id varchar not null,
  transform varchar not null,
  threshold double not null,
  copies integer not null check (copies > 0),
  found integer not null check (found between 0 and copies),
  stranger double,
  mild double,
  calibrated_at timestamptz not null,
  primary key (run_id, relation, model_id, transform)
);
comment on table calibrations is 'One row per calibration, layer and transform: what copies planted among the lake''s own pictures say of the thresholds of dedupe.';
comment on column calibrations.run_id is 'The run that wrote this row.';
comment on column calibrations.relation is 'The layer: phash or embedding.';
comment on column calibrations.model_id is 'What was compared: phash, or the model of the vectors.';
comment on column calibrations.transform is 'What was done to the copies: jpeg_q40, half_size, crop_3, ...';
comment on column calibrations.threshold is 'The threshold chosen: greatest number of differing bits (phash), least cosine (embedding).';
comment on column calibrations.copies is 'Number of copies planted.';
comment on column calibrations.found is 'Copies that the threshold calls alike with their originals.';
comment on column calibrations.stranger is 'What the nearest other picture of 99 % of the sample does not reach: bits or cosine.';
comment on column calibrations.mild is 'What 95 % of the mild copies reach: bits or cosine.';
comment on column calibrations.calibrated_at is 'When the threshold was chosen.';
