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
    if(blur is null, 0, $blur * if(blur > 0.9, 20, 1)) as of_blur,
    if(noise is null, 0, $noise * if(noise > 0.9, 20, 1)) as of_noise,
    if(exposure is null, 0, $exposure * if(exposure > 0.9, 20, 1)) as of_exposure,
    if(compression is null, 0, $compression * if(compression > 0.9, 20, 1)) as of_compression
  from quality
  where method = $method
),

scored as (
  select
    * exclude (of_blur, of_noise, of_exposure, of_compression),
    100 * (
      1 - (
        of_blur * coalesce(blur, 0) + of_noise * coalesce(noise, 0)
        + of_exposure * coalesce(exposure, 0) + of_compression * coalesce(compression, 0)
      ) / nullif(of_blur + of_noise + of_exposure + of_compression, 0)
    ) as score
  from weighed
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
