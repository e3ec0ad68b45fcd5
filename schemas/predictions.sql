create table predictions (
  model_id varchar not null,
  task varchar not null,
  image_id varchar not null check (length(image_id) = 64),
  classes varchar[] not null,
  scores float[] not null,
  predicted varchar not null,
  margin double check (margin between 0 and 1),
  entropy double check (entropy >= 0),
  is_multilabel boolean not null,
  is_out_of_sample boolean not null,
  fold integer check (fold >= 0),
  run_id varchar not null,
  predicted_at timestamptz not null,
  primary key (model_id, task, image_id)
);
comment on table predictions is 'One row per model, task and image: the probabilities of the classes.';
comment on column predictions.model_id is 'The model that predicts (models, or the name of a baseline).';
comment on column predictions.task is 'Name of the labelling task.';
comment on column predictions.image_id is 'The image (images.image_id).';
comment on column predictions.classes is 'The classes, in the order of scores.';
comment on column predictions.scores is 'Probability of each class, 0 to 1; they add up to 1 unless is_multilabel.';
comment on column predictions.predicted is 'The class with the greatest score.';
comment on column predictions.margin is 'Greatest score minus the second one.';
comment on column predictions.entropy is 'Entropy of the scores, in nats.';
comment on column predictions.is_multilabel is 'Whether an image may have several classes, each score standing for itself.';
comment on column predictions.is_out_of_sample is 'Whether the model was trained without this image: only then may label issues be judged by it.';
comment on column predictions.fold is 'The fold of cross-validation in which the image was held out.';
comment on column predictions.run_id is 'The run that wrote this row.';
comment on column predictions.predicted_at is 'When it was predicted.';
