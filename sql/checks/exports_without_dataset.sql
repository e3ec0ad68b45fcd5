-- Exports of a data set that is not in `datasets`.
select
  e.dataset,
  e.dataset_version,
  e.location,
  e.run_id
from exports as e
anti join datasets as d on e.dataset = d.dataset and e.dataset_version = d.dataset_version
