-- title: Damages, 0 (none) to 1
-- grain: detector (method imagelake)
-- chart: bars of over_half
with damages as (
  unpivot (
    select
      blur,
      noise,
      exposure,
      compression
    from quality
    where method = 'imagelake'
  ) on blur, noise, exposure, compression into name detector value damage
)

select
  detector,
  count(*) as images,
  round(median(damage), 3) as median,
  round(quantile_cont(damage, 0.95), 3) as p95,
  count(*) filter (where damage > 0.5) as over_half
from damages
group by detector
order by over_half desc, detector asc
