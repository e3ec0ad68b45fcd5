-- title: What labels go with, and should not depend on
-- grain: task, property; strength (Cramer's V) 0.2 and more, beyond chance
-- chart: bars of strength
select
  c.property,
  c.task,
  round(c.strength, 2) as strength,
  concat(
    round(100 * c.share_of_label)::integer, ' % of ', c.label, ' have ', c.property, ' ', c.value, ', of all images ',
    round(100 * c.share_overall)::integer, ' %'
  ) as evidence
from label_correlations as c
where c.strength >= 0.2 and c.z >= 4
order by c.strength desc, c.property asc, c.task asc
limit 30
