-- grain: image_id. One wide row per image: what it is, where it came from, how it was taken, its hashes, how good it is.
with places as (
  select
    image_id,
    min(origin) as origin,
    count(*) as places
  from sightings
  group by image_id
),

shots as (
  select *
  from exif
  where source = 'file'
)

select
  i.image_id,
  p.origin,
  coalesce(p.places, 0) as places,
  i.format,
  i.width_px,
  i.height_px,
  i.length_bytes,
  i.mode,
  i.frames,
  i.has_alpha,
  e.make,
  e.model,
  e.lens,
  e.captured_at,
  e.focal_length_mm,
  e.f_number,
  e.exposure_time_s,
  e.iso,
  e.orientation,
  e.gps_lat,
  e.gps_lon,
  h.pixel_hash,
  h.phash,
  h.dhash,
  q.score,
  q.verdict,
  i.ingested_at
from images as i
left join places as p on i.image_id = p.image_id
left join shots as e on i.image_id = e.image_id
left join "hashes" as h on i.image_id = h.image_id
left join quality as q on i.image_id = q.image_id and q.method = 'imagelake'
