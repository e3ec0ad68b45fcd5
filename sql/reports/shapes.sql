-- title: Shape, seen upright
-- grain: shape
-- chart: bars of images
with turned as (
  select
    i.width_px,
    i.height_px,
    coalesce(e.orientation, 1) >= 5 as is_turned
  from images as i
  left join exif as e on i.image_id = e.image_id and e.source = 'file'
),

upright as (
  select
    if(is_turned, height_px, width_px) as width_px,
    if(is_turned, width_px, height_px) as height_px
  from turned
)

select
  case
    when width_px > 2 * height_px then 'panorama (wider than 2:1)'
    when width_px > height_px then 'landscape'
    when width_px = height_px then 'square'
    else 'portrait'
  end as shape,
  count(*) as images
from upright
group by all
order by images desc, shape asc
