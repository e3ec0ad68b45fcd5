-- grain: pixel_hash with more than one image. Files whose bytes differ and whose decoded pixels are the same.
select
  h.pixel_hash,
  count(*) as images,
  sum(i.length_bytes) - max(i.length_bytes) as spare_bytes,
  list(h.image_id order by i.ingested_at, h.image_id) as image_ids
from "hashes" as h
inner join images as i on h.image_id = i.image_id
where h.pixel_hash is not null
group by h.pixel_hash
having count(*) > 1
