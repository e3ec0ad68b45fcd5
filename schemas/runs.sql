create table runs (
  run_id varchar not null,
  job varchar not null,
  status varchar not null check (status in ('running', 'succeeded', 'interrupted', 'failed')),
  config varchar not null,
  code_version varchar not null,
  engine varchar not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  read bigint check (read >= 0),
  written bigint check (written >= 0),
  already_present bigint check (already_present >= 0),
  rejected bigint check (rejected >= 0),
  table_versions map (varchar, bigint),
  primary key (run_id, status)
);
comment on table runs is 'One row when a run starts (status running) and one when it ends; the view latest_runs shows the last of each.';
comment on column runs.run_id is 'Name of the run: UTC time, then random letters.';
comment on column runs.job is 'The job: ingest, extract, ...';
comment on column runs.status is 'running, succeeded, interrupted (Ctrl-C) or failed. A run with a row running and no other was killed.';
comment on column runs.config is 'The options of the run, as JSON.';
comment on column runs.code_version is 'Version of imagelake.';
comment on column runs.engine is 'The engine that ran it: local or ray; none for jobs that run no pipeline.';
comment on column runs.started_at is 'When the run started.';
comment on column runs.finished_at is 'When the run ended; null in the row running.';
comment on column runs.read is 'Items that the run looked at: written + already_present + rejected.';
comment on column runs.written is 'Items for which something was written.';
comment on column runs.already_present is 'Items that were in the lake already.';
comment on column runs.rejected is 'Items in failures.';
comment on column runs.table_versions is 'Delta version of every table when the run ended.';
