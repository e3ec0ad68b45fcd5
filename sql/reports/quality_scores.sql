-- title: Quality score
-- grain: tenth of the score, of the images that have one (method imagelake)
-- chart: columns of images
with judged as (
  select least(9, score // 10)::integer as tenth
  from quality
  where method = 'imagelake' and score is not null
),

tenths as (
  select unnest(range(10)) as tenth
  where exists (select 1 from judged)
)

select
  concat(t.tenth * 10, ' to ', t.tenth * 10 + 10) as score,
  count(j.tenth) as images
from tenths as t
left join judged as j on t.tenth = j.tenth
group by t.tenth
order by t.tenth
