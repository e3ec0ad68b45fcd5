-- grain: table_name. How many rows, of all extractor versions, still name a forgotten image: 0 for every table.
select
  'clusters' as table_name,
  count(*) as rows_left
from raw.clusters as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'consensus_labels' as table_name,
  count(*) as rows_left
from raw.consensus_labels as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'dataset_images' as table_name,
  count(*) as rows_left
from raw.dataset_images as t
where
  t.image_id in (select f.image_id from forgotten as f)
  or t.group_id in (select f.image_id from forgotten as f)
union all
select
  'embeddings' as table_name,
  count(*) as rows_left
from raw.embeddings as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'exif' as table_name,
  count(*) as rows_left
from raw.exif as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'failures' as table_name,
  count(*) as rows_left
from raw.failures as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'fetches' as table_name,
  count(*) as rows_left
from raw.fetches as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'groups' as table_name,
  count(*) as rows_left
from raw.groups as t
where
  t.image_id in (select f.image_id from forgotten as f)
  or t.group_id in (select f.image_id from forgotten as f)
union all
select
  'hashes' as table_name,
  count(*) as rows_left
from raw."hashes" as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'images' as table_name,
  count(*) as rows_left
from raw.images as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'label_issues' as table_name,
  count(*) as rows_left
from raw.label_issues as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'labels' as table_name,
  count(*) as rows_left
from raw.labels as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'neighbours' as table_name,
  count(*) as rows_left
from raw.neighbours as t
where
  t.image_id in (select f.image_id from forgotten as f)
  or t.other_id in (select f.image_id from forgotten as f)
union all
select
  'pairs' as table_name,
  count(*) as rows_left
from raw.pairs as t
where
  t.image_id in (select f.image_id from forgotten as f)
  or t.other_id in (select f.image_id from forgotten as f)
union all
select
  'predictions' as table_name,
  count(*) as rows_left
from raw.predictions as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'projections' as table_name,
  count(*) as rows_left
from raw.projections as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'quality' as table_name,
  count(*) as rows_left
from raw.quality as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'sightings' as table_name,
  count(*) as rows_left
from raw.sightings as t
where t.image_id in (select f.image_id from forgotten as f)
union all
select
  'thumbnails' as table_name,
  count(*) as rows_left
from raw.thumbnails as t
where t.image_id in (select f.image_id from forgotten as f)
