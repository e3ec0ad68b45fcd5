create table records (
  provider varchar not null,
  source_id varchar not null,
  dataset varchar,
  institution varchar,
  aggregator varchar,
  title varchar,
  creator varchar,
  description varchar,
  rights varchar,
  licence varchar,
  reusability varchar check (reusability in ('open', 'restricted', 'permission')),
  country varchar,
  language varchar,
  tags varchar[],
  media_url varchar,
  page_url varchar,
  thumbnail_url varchar,
  sha256 varchar check (length(sha256) = 64),
  query varchar,
  raw varchar not null,
  harvested_at timestamptz not null,
  run_id varchar not null,
  primary key (provider, source_id)
);
comment on table records is 'One row per record of a provider: what is said of a picture, and where it can be fetched.';
comment on column records.provider is 'Where the record comes from: europeana, flickr, mirflickr, urls.';
comment on column records.source_id is 'The provider''s own id; for urls the id column of the list, else the address.';
comment on column records.dataset is 'The provider''s data set or group; for lists the name of the file.';
comment on column records.institution is 'Who holds the original (Europeana dataProvider).';
comment on column records.aggregator is 'Who delivered the record (Europeana provider).';
comment on column records.title is 'Title, in the first language given.';
comment on column records.creator is 'Creator or owner, as given.';
comment on column records.description is 'Description, in the first language given.';
comment on column records.rights is 'Rights statement as given, mostly the address of a licence.';
comment on column records.licence is 'The licence in short: CC0-1.0, CC-BY-SA-4.0, PDM-1.0, InC-1.0, ARR; null when unknown.';
comment on column records.reusability is 'What the licence allows, in Europeana''s three classes; null when the licence is unknown.';
comment on column records.country is 'Country of the institution.';
comment on column records.language is 'Language of the record.';
comment on column records.tags is 'Concepts or tags of the record.';
comment on column records.media_url is 'Where the picture is: an http(s) address, or the path of a local file or archive member; null when the record has none.';
comment on column records.page_url is 'The page that shows the picture to people.';
comment on column records.thumbnail_url is 'A small version made by the provider.';
comment on column records.sha256 is 'SHA-256 of the picture''s bytes where the source gives it; a download that differs is rejected.';
comment on column records.query is 'The query that found the record first.';
comment on column records.raw is 'Everything the provider said, as JSON, without the key that it was asked with.';
comment on column records.harvested_at is 'When the record was received.';
comment on column records.run_id is 'The run that wrote this row.';
