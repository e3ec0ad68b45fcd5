-- grain: pixel_hash, width_px, height_px, mode with more than one image. Different files with the same decoded pixels.
-- The digest alone says nothing of the shape.
select
  h.pixel_hash,
  i.width_px,
  i.height_px,
  i.mode,
  count(*) as images,
  sum(i.length_bytes) - max(i.length_bytes) as spare_bytes,
  list(h.image_id order by i.ingested_at, h.image_id) as image_ids
from "hashes" as h
inner join images as i on h.image_id = i.image_id
where h.pixel_hash is not null
group by h.pixel_hash, i.width_px, i.height_px, i.mode
having count(*) > 1
