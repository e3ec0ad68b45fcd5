-- title: Dates of capture
-- grain: month; year where they span more than three years; decade where they span more than 150
-- chart: columns of images
with span as (
  select
    case
      when max(year(captured_at)) - min(year(captured_at)) > 150 then 'decade'
      when max(year(captured_at)) - min(year(captured_at)) > 3 then 'year'
      else 'month'
    end as unit
  from exif
),

numbered as (
  select
    s.unit,
    case s.unit
      when 'decade' then year(e.captured_at) // 10
      when 'year' then year(e.captured_at)
      else year(e.captured_at) * 12 + month(e.captured_at) - 1
    end as number
  from exif as e
  cross join span as s
  where e.captured_at is not null
),

-- periods without pictures are drawn too
periods as (
  select unnest(range(min(number), max(number) + 1)) as number
  from numbered
)

select
  case s.unit
    when 'decade' then concat(p.number * 10, 's')
    when 'year' then p.number::varchar
    else format('{}-{:02}', p.number // 12, p.number % 12 + 1)
  end as period,
  count(n.number) as images
from periods as p
cross join span as s
left join numbered as n on p.number = n.number
group by p.number, s.unit
order by p.number
