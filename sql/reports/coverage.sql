-- title: What is known about the images
-- grain: kind of fact
-- chart: bars of images
with facts as (
  select
    'hashes' as fact,
    count(distinct image_id) as images
  from "hashes"
  union all
  select
    'pixel hash' as fact,
    count(distinct image_id) as images
  from "hashes"
  where pixel_hash is not null
  union all
  select
    'thumbnail' as fact,
    count(distinct image_id) as images
  from thumbnails
  union all
  select
    'any EXIF tag' as fact,
    count(distinct image_id) as images
  from exif
  where cardinality(tags) > 0
  union all
  select
    'camera' as fact,
    count(distinct image_id) as images
  from exif
  where make is not null or model is not null
  union all
  select
    'date of capture' as fact,
    count(distinct image_id) as images
  from exif
  where captured_at is not null
  union all
  select
    'position' as fact,
    count(distinct image_id) as images
  from exif
  where gps_lat is not null and gps_lon is not null
  union all
  select
    'embedding' as fact,
    count(distinct image_id) as images
  from embeddings
  union all
  select
    'label' as fact,
    count(distinct image_id) as images
  from current_labels
)

select
  fact,
  images,
  round(100.0 * images / (select count(*) from images), 1)::double as percent
from facts
order by images desc, fact asc
