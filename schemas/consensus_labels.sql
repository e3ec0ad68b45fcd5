create table consensus_labels (
  task varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  label varchar not null,
  consensus_quality double not null check (consensus_quality between 0 and 1),
  agreement double not null check (agreement between 0 and 1),
  annotators integer not null check (annotators > 0),
  model_id varchar,
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (task, image_id)
);
comment on table consensus_labels is 'One row per task and image: the consensus of several annotators. Replaced as a whole, task by task.';
comment on column consensus_labels.task is 'Name of the labelling task.';
comment on column consensus_labels.image_id is 'The image (images.image_id).';
comment on column consensus_labels.label is 'The label that the annotators together give.';
comment on column consensus_labels.consensus_quality is 'How likely the consensus is right, 0 to 1.';
comment on column consensus_labels.agreement is 'Share of the annotators that gave the consensus label.';
comment on column consensus_labels.annotators is 'Number of annotators of the image.';
comment on column consensus_labels.model_id is 'The model whose predictions were used; null for a majority vote.';
comment on column consensus_labels.run_id is 'The run that wrote this row.';
comment on column consensus_labels.computed_at is 'When the row was computed.';
