-- grain: kind, name, version, image_id, split, reason, evidence. What ties an image of one split to an image of another.
-- kind: data set (name, version; folds count as splits), or labels (a task whose labels name splits, version 0; every
-- statement counts, also one that the same annotator has replaced since). other_id is one such image: the most similar,
-- the nearest in time, or the least image_id; others is how many there are (of bursts, the one nearest in time).
-- Nothing is decided here: of neighbours and shots of one camera the closest ones of another split are given, however
-- far; similarity (cosine, or 1 - bits / 64) and seconds are for a where.
with members as (
  select
    'data set' as kind,
    dataset as name,
    dataset_version as version,
    image_id,
    coalesce(split, 'fold ' || fold) as split
  from dataset_images
  union
  select
    'labels' as kind,
    task as name,
    0 as version,
    image_id,
    label as split
  from labels
),

creators as (
  select
    ri.image_id,
    r.provider,
    r.creator
  from record_images as ri
  inner join records as r on ri.provider = r.provider and ri.source_id = r.source_id
  where r.creator <> ''
),

-- as dataset create --group-by owner: the artist of EXIF where no record tells
owners as (
  select
    image_id,
    creator as owner,
    concat(provider, ' ', creator) as evidence
  from creators
  union all
  select
    e.image_id,
    e.artist as owner,
    e.artist as evidence
  from exif as e
  anti join creators as c on e.image_id = c.image_id
  where e.artist <> ''
),

keys as (
  select
    image_id,
    'same image' as reason,
    '' as evidence
  from images
  union all
  select
    unnest(image_ids) as image_id,
    'same pixels' as reason,
    concat(pixel_hash, ' ', width_px, 'x', height_px, ' ', mode) as evidence
  from duplicates
  union all
  select
    image_id,
    'same group' as reason,
    concat(relation, ' ', group_id) as evidence
  from groups
  union all
  select distinct
    image_id,
    'same owner' as reason,
    evidence
  from owners
  where lower(trim(owner)) not in ('', '-', '?', 'anonymous', 'unknown')
  union all
  select distinct
    image_id,
    'same individual' as reason,
    label as evidence
  from current_labels
  where task = 'individual'
),

keyed as (
  select
    m.*,
    k.reason,
    k.evidence,
    if(k.reason = 'same image', m.image_id, k.evidence) as tie
  from members as m
  inner join keys as k on m.image_id = k.image_id
),

-- the first and the last split of a tie stand for the other splits, so that a tie of n images gives n rows
spans as (
  select
    *,
    min(struct_pack(split := split, image_id := image_id)) over same_tie as first_one,
    max(struct_pack(split := split, image_id := image_id)) over same_tie as last_one,
    count(*) over same_tie
    - count(*) over (partition by kind, name, version, reason, tie, split) as others
  from keyed
  window same_tie as (partition by kind, name, version, reason, tie)
),

-- of pairs both directions; an image may have a neighbour of which it is not one
edges as (
  select
    image_id,
    other_id,
    'pair' as reason,
    concat(relation, ' ', model_id) as evidence,
    similarity
  from pairs
  union all
  select
    other_id as image_id,
    image_id as other_id,
    'pair' as reason,
    concat(relation, ' ', model_id) as evidence,
    similarity
  from pairs
  union all
  select
    image_id,
    other_id,
    'neighbour' as reason,
    model_id as evidence,
    similarity
  from neighbours
  union all
  select
    other_id as image_id,
    image_id as other_id,
    'neighbour' as reason,
    model_id as evidence,
    similarity
  from neighbours
),

alike as (
  select
    a.kind,
    a.name,
    a.version,
    a.image_id,
    a.split,
    e.reason,
    e.evidence,
    max(struct_pack(similarity := e.similarity, image_id := b.image_id, split := b.split)) as closest,
    count(distinct b.image_id) as others
  from edges as e
  inner join members as a on e.image_id = a.image_id
  inner join members as b
    on
      e.other_id = b.image_id and a.kind = b.kind and a.name = b.name and a.version = b.version
      and a.split <> b.split
  group by all
),

dated as (
  select
    image_id,
    concat_ws(' ', make, model) as camera,
    artist,
    captured_at
  from exif
  where captured_at is not null and coalesce(make, model) is not null
  qualify row_number() over (partition by image_id order by if(source = 'file', 0, 1), source) = 1
),

shots as (
  select
    m.*,
    d.camera,
    d.artist,
    d.captured_at
  from members as m
  inner join dated as d on m.image_id = d.image_id
),

turns as (
  select
    *,
    struct_pack(taken := captured_at, image_id := image_id, split := split) as shot,
    lag(split) over in_time as split_before,
    lead(split) over in_time as split_after
  from shots
  window in_time as (partition by kind, name, version, camera, artist order by captured_at, image_id, split)
),

-- the last shot before, and the first shot after, that is of another split
around as (
  select
    *,
    last_value(if(split <> split_after, shot, null) ignore nulls) over (
      partition by kind, name, version, camera, artist order by captured_at, image_id, split
      rows between unbounded preceding and 1 preceding
    ) as before,
    first_value(if(split <> split_before, shot, null) ignore nulls) over (
      partition by kind, name, version, camera, artist order by captured_at, image_id, split
      rows between 1 following and unbounded following
    ) as later
  from turns
),

gaps as (
  select
    *,
    epoch(captured_at) - epoch(struct_extract(before, 'taken')) as gap_before,
    epoch(struct_extract(later, 'taken')) - epoch(captured_at) as gap_later
  from around
),

bursts as (
  select
    *,
    if(gap_before is null or gap_later < gap_before, later, before) as closest,
    least(gap_before, gap_later) as gap
  from gaps
)

select
  kind,
  name,
  version,
  image_id,
  split,
  reason,
  evidence,
  struct_extract(if(split = struct_extract(first_one, 'split'), last_one, first_one), 'image_id') as other_id,
  struct_extract(if(split = struct_extract(first_one, 'split'), last_one, first_one), 'split') as other_split,
  others,
  null::double as similarity,
  null::double as seconds
from spans
where struct_extract(first_one, 'split') <> struct_extract(last_one, 'split')
union all
select
  kind,
  name,
  version,
  image_id,
  split,
  reason,
  evidence,
  struct_extract(closest, 'image_id') as other_id,
  struct_extract(closest, 'split') as other_split,
  others,
  struct_extract(closest, 'similarity') as similarity,
  null as seconds
from alike
union all
select
  kind,
  name,
  version,
  image_id,
  split,
  'burst' as reason,
  camera as evidence,
  struct_extract(closest, 'image_id') as other_id,
  struct_extract(closest, 'split') as other_split,
  1 as others,
  null as similarity,
  gap as seconds
from bursts
where struct_extract(closest, 'image_id') <> image_id
