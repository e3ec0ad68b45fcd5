-- title: Size in bytes
-- grain: class of file size
-- chart: bars of images
with classes as (
  select
    unnest(range(8)) as class,
    unnest([
      'under 10 kB', '10 to 50 kB', '50 to 100 kB', '100 to 500 kB', '0.5 to 1 MB', '1 to 5 MB', '5 to 20 MB',
      '20 MB and more'
    ]) as file_size
),

sized as (
  select
    length_bytes,
    case
      when length_bytes < 10000 then 0
      when length_bytes < 50000 then 1
      when length_bytes < 100000 then 2
      when length_bytes < 500000 then 3
      when length_bytes < 1000000 then 4
      when length_bytes < 5000000 then 5
      when length_bytes < 20000000 then 6
      else 7
    end as class
  from images
)

select
  c.file_size,
  count(s.class) as images,
  coalesce(sum(s.length_bytes), 0)::bigint as bytes
from classes as c
left join sized as s on c.class = s.class
group by c.class, c.file_size
order by c.class
