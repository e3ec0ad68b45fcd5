create table images (
  image_id varchar not null check (length(image_id) = 64),
  uri varchar not null,
  offset_bytes bigint not null check (offset_bytes >= 0),
  length_bytes bigint not null check (length_bytes > 0),
  format varchar not null,
  width_px integer not null check (width_px > 0),
  height_px integer not null check (height_px > 0),
  mode varchar not null,
  frames integer not null check (frames > 0),
  has_alpha boolean not null,
  ingested_at timestamptz not null,
  run_id varchar not null,
  primary key (image_id)
);
comment on table images is 'One row per distinct file content: what it is and where its bytes are.';
comment on column images.image_id is 'SHA-256 of the file''s bytes, lower-case hex. The same bytes from ten places are one image.';
comment on column images.uri is 'Where the bytes are: a tar shard relative to the lake (blobs/...), or the absolute path or URI of the original (--in-place).';
comment on column images.offset_bytes is 'First byte of the picture within uri.';
comment on column images.length_bytes is 'Number of bytes of the picture.';
comment on column images.format is 'Format found in the content: JPEG, PNG, WEBP, GIF, TIFF, BMP, HEIF, AVIF, JPEG2000 or PPM.';
comment on column images.width_px is 'Width as encoded, in pixels, before the EXIF orientation is applied.';
comment on column images.height_px is 'Height as encoded, in pixels, before the EXIF orientation is applied.';
comment on column images.mode is 'Pixel mode as encoded, in Pillow''s names (RGB, L, P, CMYK, I;16, ...).';
comment on column images.frames is 'Number of frames or pages; everything is computed from the first.';
comment on column images.has_alpha is 'Whether the picture has transparency.';
comment on column images.ingested_at is 'When the picture entered the lake.';
comment on column images.run_id is 'The run that wrote this row.';
