create table datasets (
  dataset varchar not null,
  dataset_version integer not null check (dataset_version > 0),
  task varchar,
  statement varchar not null,
  parameters map (varchar, varchar) not null,
  table_versions map (varchar, bigint) not null,
  splits map (varchar, double) not null,
  folds integer check (folds > 1),
  group_by varchar[] not null,
  seed bigint not null,
  per_class bigint check (per_class > 0),
  classes varchar[] not null,
  images bigint not null check (images > 0),
  run_id varchar not null,
  created_at timestamptz not null,
  primary key (dataset, dataset_version)
);
comment on table datasets is 'One row per version of a named data set: how it was chosen and split, and from which versions of the tables.';
comment on column datasets.dataset is 'Name of the data set.';
comment on column datasets.dataset_version is '1 for the first of that name.';
comment on column datasets.task is 'Task of the labels; null for a data set without labels.';
comment on column datasets.statement is 'The SQL that chose the images.';
comment on column datasets.parameters is 'Parameters of the statement.';
comment on column datasets.table_versions is 'Delta version of every table that was read.';
comment on column datasets.splits is 'Share asked for of each split; empty with folds.';
comment on column datasets.folds is 'Number of folds; null with splits.';
comment on column datasets.group_by is 'What was never separated: duplicate_group, owner, individual, burst, ...';
comment on column datasets.seed is 'Seed of the split.';
comment on column datasets.per_class is 'Images per class that were sampled at most; null for all.';
comment on column datasets.classes is 'The classes, sorted; their positions are the class numbers of exports, but for imagefolder and yolo, which number folders.';
comment on column datasets.images is 'Number of images.';
comment on column datasets.run_id is 'The run that wrote this row.';
comment on column datasets.created_at is 'When it was made.';
