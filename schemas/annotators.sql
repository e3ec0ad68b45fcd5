create table annotators (
  task varchar not null,
  annotator varchar not null,
  images bigint not null check (images > 0),
  quality double check (quality between 0 and 1),
  agreement_with_consensus double check (agreement_with_consensus between 0 and 1),
  worst_class varchar,
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (task, annotator)
);
comment on table annotators is 'One row per task and annotator: how far their labels can be trusted. Replaced as a whole, task by task.';
comment on column annotators.task is 'Name of the labelling task.';
comment on column annotators.annotator is 'Who labels (labels.annotator).';
comment on column annotators.images is 'Images labelled.';
comment on column annotators.quality is 'How far the annotator''s labels can be trusted, 0 to 1.';
comment on column annotators.agreement_with_consensus is 'Share of the images where the annotator gave the consensus label.';
comment on column annotators.worst_class is 'The class that the annotator gets wrong most often.';
comment on column annotators.run_id is 'The run that wrote this row.';
comment on column annotators.computed_at is 'When the row was computed.';
