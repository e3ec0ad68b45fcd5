create table exports (
  dataset varchar not null,
  dataset_version integer not null check (dataset_version > 0),
  format varchar not null,
  location varchar not null,
  images bigint not null check (images >= 0),
  splits varchar[],
  run_id varchar not null,
  exported_at timestamptz not null,
  primary key (dataset, dataset_version, location, run_id)
);
comment on table exports is 'One row per run that began to export a data set, complete or not: where copies of pictures are outside of the lake.';
comment on column exports.dataset is 'Name of the data set.';
comment on column exports.dataset_version is 'Its version.';
comment on column exports.format is 'imagefolder, webdataset, parquet, huggingface, coco, yolo or csv.';
comment on column exports.location is 'Folder or s3:// prefix it was written to.';
comment on column exports.images is 'Number of images that it is to have; 0 for csv, which has names and no pictures.';
comment on column exports.splits is 'Splits, or fold0, fold1, ..., that were asked for; null for all of them.';
comment on column exports.run_id is 'The run that wrote this row.';
comment on column exports.exported_at is 'When it began.';
