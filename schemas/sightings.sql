create table sightings (
  image_id varchar not null check (length(image_id) = 64),
  origin varchar not null,
  uri varchar not null,
  size_bytes bigint not null check (size_bytes >= 0),
  modified_at timestamptz not null,
  seen_at timestamptz not null,
  run_id varchar not null,
  primary key (image_id, origin)
);
comment on table sightings is 'One row per image and place where it was found.';
comment on column sightings.image_id is 'The image (images.image_id).';
comment on column sightings.origin is 'The path or URI as given; members of archives as archive.zip!inner.zip!name.jpg.';
comment on column sightings.uri is 'The absolute path or URI of the file (of the outermost archive for a member).';
comment on column sightings.size_bytes is 'Size of the file or member in bytes; with modified_at it tells whether the place has changed since.';
comment on column sightings.modified_at is 'Modification time of the file (of the outermost archive for a member).';
comment on column sightings.seen_at is 'When the picture was found there.';
comment on column sightings.run_id is 'The run that wrote this row.';
