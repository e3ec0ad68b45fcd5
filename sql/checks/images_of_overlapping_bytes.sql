-- Images whose bytes begin inside those of the one before, in the same file.
with neighbours as (
  select
    image_id,
    uri,
    offset_bytes,
    length_bytes,
    lag(offset_bytes + length_bytes) over (partition by uri order by offset_bytes) as end_before
  from images
)

select
  image_id,
  uri,
  offset_bytes,
  length_bytes,
  end_before
from neighbours
where offset_bytes < end_before
