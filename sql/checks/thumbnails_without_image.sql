-- Rows of `thumbnails` whose image is not in `images`.
select
  t.image_id,
  t.run_id
from raw.thumbnails as t
anti join images as i on t.image_id = i.image_id
