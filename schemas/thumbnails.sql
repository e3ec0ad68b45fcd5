-- Grain: one row per picture and version of the thumbnail's definition.
create table thumbnails (
  image_id varchar not null check (length(image_id) = 64),
  jpeg blob not null,
  width_px integer not null check (width_px > 0 and width_px <= 256),
  height_px integer not null check (height_px > 0 and height_px <= 256),
  version integer not null check (version > 0),
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (image_id, version)
);
comment on table thumbnails is 'A small upright sRGB JPEG of each picture, its longest side 256 pixels or less.';
comment on column thumbnails.image_id is 'SHA-256 of the file, lower-case hexadecimal; key of images.';
comment on column thumbnails.jpeg is
'The thumbnail as a JPEG file: quality 85, chroma 4:2:0, sRGB, no metadata, orientation applied.';
comment on column thumbnails.width_px is 'Width of the thumbnail in pixels, upright, 1 to 256.';
comment on column thumbnails.height_px is 'Height of the thumbnail in pixels, upright, 1 to 256.';
comment on column thumbnails.version is 'Version of the definition; a newer one is computed anew.';
comment on column thumbnails.run_id is 'The run that wrote this row.';
comment on column thumbnails.computed_at is 'When the row was computed, UTC.';
