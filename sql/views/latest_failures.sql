-- grain: job, item. What is still broken: the newest failure of each item, unless it has succeeded since.
with newest as (
  select *
  from failures
  qualify row_number() over (partition by job, item order by failed_at desc, stage asc) = 1
),

made as (
  select image_id, computed_at, true as from_pixels from "hashes"
  union all
  select image_id, computed_at, true as from_pixels from thumbnails
  union all
  select image_id, computed_at, true as from_pixels from embeddings
  union all
  select image_id, computed_at, true as from_pixels from quality
  union all
  select image_id, computed_at, false as from_pixels from exif
),

found as (
  select 'ingest' as job, origin as item, seen_at as found_at from sightings
  union all
  select 'ingest' as job, origin as item, expanded_at as found_at from archives
  union all
  select 'download' as job, url as item, fetched_at as found_at from fetches
  where outcome in ('stored', 'not_modified')
)

select n.*
from newest as n
where
  not exists (
    select 1
    from made as m
    where
      n.job = 'extract'
      and m.image_id = n.image_id
      and m.computed_at > n.failed_at
      and (m.from_pixels or n.stage = 'read')
  )
  and not exists (
    select 1
    from found as f
    where f.job = n.job and f.item = n.item and f.found_at > n.failed_at
  )
