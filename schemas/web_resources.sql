create table web_resources (
  provider varchar not null,
  source_id varchar not null,
  url varchar not null,
  position integer not null,
  is_shown_by boolean not null,
  mime_type varchar,
  size_bytes bigint check (size_bytes >= 0),
  width_px integer check (width_px >= 0),
  height_px integer check (height_px >= 0),
  rights varchar,
  reusability varchar check (reusability in ('open', 'restricted', 'permission')),
  harvested_at timestamptz not null,
  run_id varchar not null,
  primary key (provider, source_id, url)
);
comment on table web_resources is 'One row per file of a record, as the provider describes it (Europeana Record API).';
comment on column web_resources.provider is 'Where the record comes from: europeana, flickr, mirflickr, urls.';
comment on column web_resources.source_id is 'The provider''s own id; for urls the id column of the list, else the address.';
comment on column web_resources.url is 'The address of the file.';
comment on column web_resources.position is 'Place among the files of the record, from 0.';
comment on column web_resources.is_shown_by is 'Whether it is the record''s main picture (edm:isShownBy).';
comment on column web_resources.mime_type is 'Media type, as measured by the provider.';
comment on column web_resources.size_bytes is 'Size of the file in bytes, as measured by the provider.';
comment on column web_resources.width_px is 'Width in pixels, as measured by the provider.';
comment on column web_resources.height_px is 'Height in pixels, as measured by the provider.';
comment on column web_resources.rights is 'Rights of this file, else of the record.';
comment on column web_resources.reusability is 'What the rights allow.';
comment on column web_resources.harvested_at is 'When it was received.';
comment on column web_resources.run_id is 'The run that wrote this row.';
