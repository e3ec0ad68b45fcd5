create table record_labels (
  provider varchar not null,
  source_id varchar not null,
  task varchar not null,
  label varchar not null,
  harvested_at timestamptz not null,
  run_id varchar not null,
  primary key (provider, source_id, task, label)
);
comment on table record_labels is 'One row per statement of a harvest or list that the picture of a record has a label; becomes rows of labels when the picture is in the lake.';
comment on column record_labels.provider is 'Where the record comes from: europeana, flickr, mirflickr, urls.';
comment on column record_labels.source_id is 'The provider''s own id; for urls the id column of the list, else the address.';
comment on column record_labels.task is 'Name of the labelling task.';
comment on column record_labels.label is 'The label.';
comment on column record_labels.harvested_at is 'When it was said.';
comment on column record_labels.run_id is 'The run that wrote this row.';
