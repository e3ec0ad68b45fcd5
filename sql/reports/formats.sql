-- title: Formats
-- grain: format
-- chart: bars of images
select
  format,
  count(*) as images,
  sum(length_bytes)::bigint as bytes,
  round(avg(length_bytes))::bigint as mean_bytes
from images
group by format
order by images desc, format asc
