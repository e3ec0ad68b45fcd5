create table dataset_images (
  dataset varchar not null,
  dataset_version integer not null check (dataset_version > 0),
  image_id varchar not null check (length(image_id) = 64),
  labels varchar[] not null,
  split varchar,
  fold integer check (fold >= 0),
  group_id varchar not null,
  run_id varchar not null,
  check ((split is null) <> (fold is null)),
  primary key (dataset, dataset_version, image_id)
);
comment on table dataset_images is 'One row per version of a data set and image: its labels, and where it is to be used.';
comment on column dataset_images.dataset is 'Name of the data set.';
comment on column dataset_images.dataset_version is 'Its version.';
comment on column dataset_images.image_id is 'The image (images.image_id).';
comment on column dataset_images.labels is 'The labels at the time, sorted; empty without a task.';
comment on column dataset_images.split is 'train, val, test or as named; null with folds.';
comment on column dataset_images.fold is 'The fold in which the image is held out; null with splits.';
comment on column dataset_images.group_id is 'What the image shares with others of one group: the least image_id of them. Groups are never separated.';
comment on column dataset_images.run_id is 'The run that wrote this row.';
