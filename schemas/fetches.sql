create table fetches (
  url varchar not null,
  run_id varchar not null,
  attempt integer not null check (attempt > 0),
  media_url varchar not null,
  host varchar not null,
  outcome varchar not null check (outcome in ('stored', 'not_modified', 'failed', 'retried')),
  reason varchar check ((reason is null) = (outcome in ('stored', 'not_modified'))),
  message varchar,
  http_status integer check (http_status between 100 and 599),
  final_url varchar,
  redirects integer not null check (redirects >= 0),
  bytes bigint not null check (bytes >= 0),
  first_byte_ms double check (first_byte_ms >= 0),
  elapsed_ms double not null check (elapsed_ms >= 0),
  retry_after_s double check (retry_after_s >= 0),
  http_version varchar,
  content_type varchar,
  etag varchar,
  last_modified varchar,
  image_id varchar check (length(image_id) = 64),
  fetched_at timestamptz not null,
  primary key (url, run_id, attempt)
);
comment on table fetches is 'One row per attempt to fetch an address.';
comment on column fetches.url is 'The address that was asked for.';
comment on column fetches.run_id is 'The run that asked.';
comment on column fetches.attempt is 'Number of the attempt within the run, from 1.';
comment on column fetches.media_url is 'The address as the records have it (records.media_url); differs from url where a thumbnail was asked for instead.';
comment on column fetches.host is 'Host of the address, with its port where it is not the usual one.';
comment on column fetches.outcome is 'What became of it: stored, not_modified (a refresh found nothing new), failed (for good), retried (another attempt followed).';
comment on column fetches.reason is 'Short code of the failure to group by: http_404, timeout, too_large, robots, opted_out, html, ...; null on success.';
comment on column fetches.message is 'What was seen, in one line.';
comment on column fetches.http_status is 'Status of the last answer; null when none came.';
comment on column fetches.final_url is 'The address that answered, behind redirects.';
comment on column fetches.redirects is 'Number of redirects followed.';
comment on column fetches.bytes is 'Bytes of body received.';
comment on column fetches.first_byte_ms is 'Time from the request to the head of the answer, in milliseconds, of the last hop.';
comment on column fetches.elapsed_ms is 'Time of the attempt without waiting for its turn, in milliseconds.';
comment on column fetches.retry_after_s is 'What the server asked to wait, in seconds.';
comment on column fetches.http_version is 'HTTP/1.1 or HTTP/2.';
comment on column fetches.content_type is 'Media type that the server claims.';
comment on column fetches.etag is 'Validator for the next refresh.';
comment on column fetches.last_modified is 'Validator for the next refresh, as the server wrote it.';
comment on column fetches.image_id is 'The image that the bytes became (images.image_id).';
comment on column fetches.fetched_at is 'When the attempt began.';
