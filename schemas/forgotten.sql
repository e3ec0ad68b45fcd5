create table forgotten (
  image_id varchar not null check (length(image_id) = 64),
  reason varchar not null,
  run_id varchar not null,
  forgotten_at timestamptz not null,
  primary key (image_id)
);
comment on table forgotten is 'One row per image that was taken out of the lake for good; ingest and download do not bring it back. An image_id is a digest, not the picture.';
comment on column forgotten.image_id is 'The image (images.image_id).';
comment on column forgotten.reason is 'Why, in the words of who asked for it.';
comment on column forgotten.run_id is 'The run that wrote this row.';
comment on column forgotten.forgotten_at is 'When it was taken out.';
