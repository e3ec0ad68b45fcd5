create table failures (
  run_id varchar not null,
  job varchar not null,
  item varchar not null,
  stage varchar not null,
  reason varchar not null,
  message varchar not null,
  image_id varchar check (length(image_id) = 64),
  version integer not null,
  size_bytes bigint,
  modified_at timestamptz,
  failed_at timestamptz not null,
  primary key (run_id, job, item, stage)
);
comment on table failures is 'One row per item that a run rejected, with the reason. Not tried again until it changes or --retry-failed is given.';
comment on column failures.run_id is 'The run that rejected the item.';
comment on column failures.job is 'The job: ingest, extract, ...';
comment on column failures.item is 'The path or URI as given, the same string as sightings.origin.';
comment on column failures.stage is 'Where it failed: list, read, sniff, decode, or the output that could not be made.';
comment on column failures.reason is 'Short code to group by: truncated, corrupt, not_an_image, too_many_pixels, ...';
comment on column failures.message is 'What was seen, in one line.';
comment on column failures.image_id is 'The image, when it was known (images.image_id).';
comment on column failures.version is 'Version of the extractor that failed; a new version tries again. 0 for other jobs.';
comment on column failures.size_bytes is 'Size of the file when it failed.';
comment on column failures.modified_at is 'Modification time of the file when it failed; a changed file is tried again.';
comment on column failures.failed_at is 'When it failed.';
