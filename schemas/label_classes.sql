create table label_classes (
  task varchar not null,
  model_id varchar not null,
  label varchar not null,
  images bigint not null check (images >= 0),
  issues bigint not null check (issues >= 0),
  label_noise double check (label_noise between 0 and 1),
  inverse_label_noise double check (inverse_label_noise between 0 and 1),
  label_quality double check (label_quality between 0 and 1),
  most_confused_with varchar,
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (task, model_id, label)
);
comment on table label_classes is 'One row per task, model and class: how far the class''s labels can be trusted. Replaced as a whole with label_issues.';
comment on column label_classes.task is 'Name of the labelling task.';
comment on column label_classes.model_id is 'The model whose predictions were used (predictions.model_id).';
comment on column label_classes.label is 'The class.';
comment on column label_classes.images is 'Images with this label.';
comment on column label_classes.issues is 'Those of them that are label issues.';
comment on column label_classes.label_noise is 'Estimated share of the images with this label that belong to another class.';
comment on column label_classes.inverse_label_noise is 'Estimated share of the images of this class that have another label.';
comment on column label_classes.label_quality is '1 - label_noise.';
comment on column label_classes.most_confused_with is 'The class that its label issues most often should have; null without issues.';
comment on column label_classes.run_id is 'The run that wrote this row.';
comment on column label_classes.computed_at is 'When the row was computed.';
