create table collections (
  provider varchar not null,
  dataset varchar not null,
  records bigint not null check (records >= 0),
  aggregator varchar,
  institution varchar,
  harvested_at timestamptz not null,
  run_id varchar not null,
  primary key (provider, dataset, run_id)
);
comment on table collections is 'One row per data set of a provider and run that listed it.';
comment on column collections.provider is 'europeana.';
comment on column collections.dataset is 'Name of the data set, as records.dataset.';
comment on column collections.records is 'Number of its records that are pictures.';
comment on column collections.aggregator is 'Who delivered it.';
comment on column collections.institution is 'Who holds the originals.';
comment on column collections.harvested_at is 'When it was received.';
comment on column collections.run_id is 'The run that wrote this row.';
