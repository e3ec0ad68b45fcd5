-- title: Images of a data set that are tied to an image of another split
-- grain: image_id, split, reason, evidence
-- parameter $dataset: name of the data set
-- parameter $version: its version; 0 for the newest
-- parameter $min_similarity: of neighbours, those at least so similar (cosine), such as 0.95
-- parameter $seconds: of pictures of one camera, those at most so far apart, such as 2
with asked as (
  select
    if(count(*) > 0, $dataset::varchar, error('no data set ' || $dataset || ' of that version')) as name,
    max(dataset_version) as version,
    $min_similarity::double as min_similarity,
    $seconds::double as seconds
  from datasets
  where dataset = $dataset and (dataset_version = $version or $version = 0)
),

places as (
  select
    image_id,
    min(origin) as origin
  from sightings
  group by image_id
)

select
  l.reason,
  l.image_id,
  l.split,
  l.other_id,
  l.other_split,
  l.others,
  l.evidence,
  round(l.similarity, 4) as similarity,
  l.seconds,
  p.origin,
  o.origin as other_origin
from leaks as l
inner join asked as a on l.name = a.name and l.version = a.version
left join places as p on l.image_id = p.image_id
left join places as o on l.other_id = o.image_id
where
  l.kind = 'data set'
  and (l.reason <> 'neighbour' or l.similarity >= a.min_similarity)
  and (l.reason <> 'burst' or l.seconds <= a.seconds)
order by l.reason, l.split, l.image_id, l.evidence
