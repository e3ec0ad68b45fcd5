create table pairs (
  relation varchar not null check (relation in ('pixels', 'phash', 'embedding', 'fastdup')),
  model_id varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  other_id varchar not null check (length(other_id) = 64),
  distance double not null check (distance >= 0),
  similarity double not null check (similarity between -1 and 1),
  orientation integer check (orientation between 1 and 8),
  threshold double,
  run_id varchar not null,
  found_at timestamptz not null,
  check (image_id < other_id),
  primary key (relation, model_id, image_id, other_id)
);
comment on table pairs is 'One row per relation and pair of images that are duplicates or nearly so, with what says so. Replaced as a whole, relation by relation.';
comment on column pairs.relation is 'What is alike: decoded pixels, perceptual hash, embedding; or fastdup''s finding.';
comment on column pairs.model_id is 'What was compared: pixel_hash, phash, or the model of the vectors.';
comment on column pairs.image_id is 'The image with the lesser image_id.';
comment on column pairs.other_id is 'The image with the greater image_id.';
comment on column pairs.distance is 'Differing bits (phash), 1 - cosine (embedding, fastdup), 0 (pixels).';
comment on column pairs.similarity is 'Cosine for vectors, 1 - bits / 64 for hashes, 1 for pixels.';
comment on column pairs.orientation is 'How other_id is turned against image_id, as an EXIF orientation: 1 not at all, 2 mirrored, 3 by 180 degrees, ... Null where not known.';
comment on column pairs.threshold is 'The greatest distance that the run asked for.';
comment on column pairs.run_id is 'The run that wrote this row.';
comment on column pairs.found_at is 'When the pair was found.';
