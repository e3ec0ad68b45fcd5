create table labels (
  image_id varchar not null check (length(image_id) = 64),
  task varchar not null,
  label varchar not null,
  annotator varchar not null,
  source varchar not null,
  confidence double check (confidence between 0 and 1),
  labelled_at timestamptz not null,
  run_id varchar not null,
  primary key (image_id, task, label, annotator, labelled_at)
);
comment on table labels is 'One row per statement that an image has a label; append-only, the newest per annotator wins in current_labels.';
comment on column labels.image_id is 'The image (images.image_id).';
comment on column labels.task is 'Name of the labelling task.';
comment on column labels.label is 'The label.';
comment on column labels.annotator is 'Who or what says so: a person, a model, or folders.';
comment on column labels.source is 'How the label came in: folder, import, model, person.';
comment on column labels.confidence is 'Confidence from 0 to 1; null when none was given.';
comment on column labels.labelled_at is 'When the label was given; for folders the time of the sighting.';
comment on column labels.run_id is 'The run that wrote this row.';
