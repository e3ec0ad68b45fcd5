create table quality (
  image_id varchar not null check (length(image_id) = 64),
  method varchar not null check (method in ('imagelake', 'digikam')),
  blur double check (blur between 0 and 1),
  noise double check (noise between 0 and 1),
  exposure double check (exposure between 0 and 1),
  compression double check (compression between 0 and 1),
  score double check (score between 0 and 100),
  verdict varchar check (verdict in ('rejected', 'pending', 'accepted')),
  sharpness double check (sharpness >= 0),
  brightness double check (brightness between 0 and 1),
  brightness_p5 double check (brightness_p5 between 0 and 1),
  brightness_p95 double check (brightness_p95 between 0 and 1),
  contrast double check (contrast between 0 and 1),
  entropy_bits double check (entropy_bits between 0 and 8),
  colourfulness double check (colourfulness >= 0),
  aspect double check (aspect > 0 and aspect <= 1),
  is_grey boolean,
  is_low_information boolean,
  version integer not null check (version > 0),
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (image_id, version, method)
);
comment on table quality is 'One row per image, version of the extractor and method: measured damages, a score, a verdict, and raw measures for thresholds in SQL.';
comment on column quality.image_id is 'The image (images.image_id).';
comment on column quality.method is 'Definition of the detectors: imagelake (the default, with known faults corrected) or digikam (as the original computes them).';
comment on column quality.blur is 'Damage by blur, 0 (none) to 1: share of the judged pixels that are out of focus or smeared by motion. Null where the picture has nothing to judge.';
comment on column quality.noise is 'Damage by noise, 0 to 1.';
comment on column quality.exposure is 'Damage by exposure, 0 to 1: the greater of over- and underexposure, shares of clipped pixels.';
comment on column quality.compression is 'Damage by compression, 0 to 1: share of blocks and areas of one colour. Null where the picture has nothing to judge.';
comment on column quality.score is '100 x (1 - weighted mean of the damages); 100 is undamaged. Null where no detector could judge.';
comment on column quality.verdict is 'By the default thresholds of the score: 10 or less rejected, 60 or less pending, else accepted. Other thresholds: sql/curation/quality_verdicts.sql.';
comment on column quality.sharpness is 'Variance of the Laplacian divided by the variance of the grey values, at 1024 px or less: does not grow with contrast or size. Null for a picture of one grey.';
comment on column quality.brightness is 'Mean perceived brightness, 0 (black) to 1 (white).';
comment on column quality.brightness_p5 is '5th percentile of the brightness.';
comment on column quality.brightness_p95 is '95th percentile of the brightness.';
comment on column quality.contrast is 'Standard deviation of the brightness.';
comment on column quality.entropy_bits is 'Shannon entropy of the grey values, in bits: 0 is one grey, 8 is all equally often.';
comment on column quality.colourfulness is 'Colourfulness by Hasler and Suesstrunk (2003), of 8-bit values; 0 is grey, above 80 is vivid.';
comment on column quality.aspect is 'Shorter side divided by the longer one: 1 is square.';
comment on column quality.is_grey is 'Whether the picture has no colour, also when it is stored as RGB.';
comment on column quality.is_low_information is 'Whether there is next to nothing to see: hardly any entropy.';
comment on column quality.version is 'Version of the extractor.';
comment on column quality.run_id is 'The run that wrote this row.';
comment on column quality.computed_at is 'When the row was computed.';
