create table harvest_pages (
  provider varchar not null,
  query varchar not null,
  run_id varchar not null,
  page bigint not null check (page > 0),
  cursor varchar,
  next_cursor varchar,
  total bigint check (total >= 0),
  items bigint not null check (items >= 0),
  new_records bigint not null check (new_records >= 0),
  harvested_at timestamptz not null,
  primary key (provider, query, run_id, page)
);
comment on table harvest_pages is 'One row per page of results that was harvested; a harvest that was stopped goes on behind the last page.';
comment on column harvest_pages.provider is 'Who was asked.';
comment on column harvest_pages.query is 'What was asked, as JSON without key and place; the same text continues the same harvest.';
comment on column harvest_pages.run_id is 'The run that wrote this row.';
comment on column harvest_pages.page is 'Number of the page within the query, from 1.';
comment on column harvest_pages.cursor is 'Where the page begins; null for the first.';
comment on column harvest_pages.next_cursor is 'Where the next page begins; null on the last page.';
comment on column harvest_pages.total is 'Number of results of the query, as the provider said with this page.';
comment on column harvest_pages.items is 'Number of items on the page.';
comment on column harvest_pages.new_records is 'Number of them that the lake did not have.';
comment on column harvest_pages.harvested_at is 'When the page was received.';
