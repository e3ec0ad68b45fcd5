-- title: Best quality
-- grain: entry (an image, the highest score first, 500 in all; method imagelake)
-- layout: grid
with judged as (
  select
    *,
    row_number() over (order by score desc, image_id asc) as entry
  from quality
  where method = 'imagelake' and score is not null
)

select
  entry,
  concat('score ', round(score, 1), ', ', verdict) as heading,
  1 as place,
  image_id,
  concat_ws(
    ', ', 'blur ' || round(blur, 2), 'noise ' || round(noise, 2), 'exposure ' || round(exposure, 2),
    'compression ' || round(compression, 2)
  ) as note
from judged
where entry <= 500
