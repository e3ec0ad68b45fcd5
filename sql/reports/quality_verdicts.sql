-- title: Verdicts of quality
-- grain: verdict by the default thresholds (method imagelake)
-- chart: bars of images
select
  coalesce(verdict, 'not judged') as verdict,
  count(*) as images
from quality
where method = 'imagelake'
group by verdict
order by array_position(['rejected', 'pending', 'accepted'], verdict) nulls last
