create table label_issues (
  task varchar not null,
  model_id varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  given_labels varchar[] not null,
  suggested_labels varchar[] not null,
  label_quality double not null check (label_quality between 0 and 1),
  is_issue boolean not null,
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (task, model_id, image_id)
);
comment on table label_issues is 'One row per task, model and labelled image: how far its label can be trusted. Replaced as a whole, task by task and model by model.';
comment on column label_issues.task is 'Name of the labelling task.';
comment on column label_issues.model_id is 'The model whose predictions were used (predictions.model_id).';
comment on column label_issues.image_id is 'The image (images.image_id).';
comment on column label_issues.given_labels is 'The labels that the image has (one, unless the task has several per image).';
comment on column label_issues.suggested_labels is 'The labels that the predictions speak for.';
comment on column label_issues.label_quality is 'How likely the given labels are right, 0 to 1 (cleanlab''s label quality score).';
comment on column label_issues.is_issue is 'Whether cleanlab counts it among the label errors.';
comment on column label_issues.run_id is 'The run that wrote this row.';
comment on column label_issues.computed_at is 'When the row was computed.';
