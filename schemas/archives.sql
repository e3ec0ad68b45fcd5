create table archives (
  origin varchar not null,
  uri varchar not null,
  size_bytes bigint not null check (size_bytes >= 0),
  modified_at timestamptz not null,
  members bigint not null check (members >= 0),
  expanded_at timestamptz not null,
  run_id varchar not null,
  primary key (origin, size_bytes, modified_at)
);
comment on table archives is 'One row per archive that was read to its end, so that the next run does not open it again.';
comment on column archives.origin is 'The path or URI as given.';
comment on column archives.uri is 'The absolute path or URI.';
comment on column archives.size_bytes is 'Size of the archive in bytes.';
comment on column archives.modified_at is 'Modification time of the archive.';
comment on column archives.members is 'Number of members found, at every depth, whether pictures or not.';
comment on column archives.expanded_at is 'When its last member was read.';
comment on column archives.run_id is 'The run that wrote this row.';
