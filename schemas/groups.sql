create table groups (
  relation varchar not null check (relation in ('duplicates', 'fastdup')),
  image_id varchar not null check (length(image_id) = 64),
  group_id varchar not null check (length(group_id) = 64),
  role varchar not null check (role in ('keeper', 'member')),
  via varchar,
  distance double check (distance >= 0),
  size integer not null check (size > 1),
  run_id varchar not null,
  found_at timestamptz not null,
  check ((role = 'keeper') = (image_id = group_id)),
  primary key (relation, image_id)
);
comment on table groups is 'One row per image of a group of duplicates: a keeper and the pictures that are alike with the keeper itself, every one verified; not all that pairs connect. Replaced as a whole, relation by relation.';
comment on column groups.relation is 'duplicates: all layers of imagelake; fastdup: its pairs.';
comment on column groups.image_id is 'The image (images.image_id).';
comment on column groups.group_id is 'image_id of the keeper.';
comment on column groups.role is 'keeper: the one to keep; member: its duplicate.';
comment on column groups.via is 'The relation by which the member was verified against the keeper; null for the keeper.';
comment on column groups.distance is 'Distance of the member to the keeper by that relation; null for the keeper.';
comment on column groups.size is 'Number of images in the group, keeper included.';
comment on column groups.run_id is 'The run that wrote this row.';
comment on column groups.found_at is 'When the group was found.';
