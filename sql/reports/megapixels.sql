-- title: Size in pixels
-- grain: class of megapixels
-- chart: bars of images
with classes as (
  select
    unnest(range(8)) as class,
    unnest([
      'under 0.1', '0.1 to 0.5', '0.5 to 1', '1 to 2', '2 to 5', '5 to 12', '12 to 24', '24 and more'
    ]) as megapixels
),

sized as (
  select
    case
      when width_px::double * height_px < 1e5 then 0
      when width_px::double * height_px < 5e5 then 1
      when width_px::double * height_px < 1e6 then 2
      when width_px::double * height_px < 2e6 then 3
      when width_px::double * height_px < 5e6 then 4
      when width_px::double * height_px < 12e6 then 5
      when width_px::double * height_px < 24e6 then 6
      else 7
    end as class
  from images
)

select
  c.megapixels,
  count(s.class) as images
from classes as c
left join sized as s on c.class = s.class
group by c.class, c.megapixels
order by c.class
