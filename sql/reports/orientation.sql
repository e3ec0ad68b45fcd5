-- title: Orientation as stored
-- grain: EXIF orientation
-- chart: bars of images
select
  coalesce(orientation::varchar, 'none') as orientation,
  case orientation
    when 1 then 'upright'
    when 2 then 'mirrored'
    when 3 then 'upside down'
    when 4 then 'upside down, mirrored'
    when 5 then 'on its side, mirrored'
    when 6 then 'on its side, to be turned clockwise'
    when 7 then 'on its side, mirrored the other way'
    when 8 then 'on its side, to be turned anticlockwise'
    else 'the file does not say'
  end as meaning,
  count(*) as images
from exif
where source = 'file'
group by all
order by orientation
