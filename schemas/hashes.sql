-- Grain: one row per picture and version of the definitions in docs/hashes.md.
-- The name is quoted for the SQL linter only, whose dialect takes it for a keyword.
create table "hashes" (
  image_id varchar not null check (length(image_id) = 64),
  pixel_hash varchar,
  phash bigint not null,
  dhash bigint not null,
  dhash_vertical bigint not null,
  version integer not null check (version > 0),
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (image_id, version),
  check (length(pixel_hash) = 128)
);
comment on table "hashes" is 'Fingerprints of each picture: one digest of its pixels and three 64-bit perceptual hashes.';
comment on column "hashes".image_id is 'SHA-256 of the file, lower-case hexadecimal; key of images.';
comment on column "hashes".pixel_hash is
'BLAKE2b-512 of the decoded pixels in their native mode, 128 hexadecimal digits; null where not asked for.';
comment on column "hashes".phash is
'Signs of the 64 lowest 2-D cosine frequencies of the upright picture: 64 bits, rows first, signed.';
comment on column "hashes".dhash is
'Signs of the horizontal differences of the upright picture at 9 x 8 pixels: 64 bits, rows first, signed.';
comment on column "hashes".dhash_vertical is
'Signs of the vertical differences of the upright picture at 8 x 9 pixels: 64 bits, rows first, signed.';
comment on column "hashes".version is 'Version of the definitions; hashes of different versions are not comparable.';
comment on column "hashes".run_id is 'The run that wrote this row.';
comment on column "hashes".computed_at is 'When the row was computed, UTC.';
