-- title: Scores and verdicts by your own weights and thresholds
-- grain: image_id. The stored damages weighed anew, by the rule of digiKam: a damage above 0.9 weighs 20 times as much.
-- parameter $method: imagelake or digikam
-- parameter $blur, $noise, $exposure, $compression: weights of the four detectors, 100 each in digiKam; 0 leaves one out
-- parameter $rejected: rejected up to this score (10 in digiKam)
-- parameter $accepted: accepted above this score (60 in digiKam), pending between them
-- parameter $suppress: verdicts not to give, such as pending,accepted (the three switches of digiKam); none for all
with weighed as (
  select
    image_id,
    blur,
    noise,
    exposure,
    compression,
    [
      {'damage': blur, 'weight': $blur},
      {'damage': noise, 'weight': $noise},
      {'damage': exposure, 'weight': $exposure},
      {'damage': compression, 'weight': $compression}
    ] as damages
  from quality
  where method = $method
),

judged as (
  select
    * exclude (damages),
    list_transform(
      list_filter(damages, lambda d: d.damage is not null and d.weight > 0),
      lambda d: {'damage': d.damage, 'weight': d.weight * if(d.damage > 0.9, 20, 1)}
    ) as weights
  from weighed
),

scored as (
  select
    * exclude (weights),
    100 * (
      1 - list_sum(list_transform(weights, lambda w: w.weight * w.damage))
      / list_sum(list_transform(weights, lambda w: w.weight))
    ) as score
  from judged
),

named as (
  select
    *,
    case
      when score is null then null
      when floor(score) <= $rejected then 'rejected'
      when floor(score) <= $accepted then 'pending'
      else 'accepted'
    end as verdict
  from scored
)

select * replace (if(list_contains(string_split($suppress, ','), verdict), null, verdict) as verdict)
from named
order by score asc nulls last, image_id asc
