-- grain: task, property. How strongly the labels of a task go with something that they should not depend on.
-- strength: Cramer's V of label x value with Bergsma's bias correction (2013, doi 10.1016/j.jkss.2012.10.002), 0 to 1.
-- z: the chi-square as a standard normal (Wilson and Hilferty 1931); below 4 it may be chance. Numbers are cut into
-- fifths; of texts the 9 most frequent count by themselves; a missing value is a value, too. Labels with fewer than 10
-- images are left out. label, value, images, share_of_label, share_overall: the cell that speaks most for it.
with given as (
  select distinct
    task,
    label,
    image_id
  from current_labels
  qualify count(*) over (partition by task, label) >= 10
),

cameras as (
  select
    image_id,
    first(concat_ws(' ', make, model) order by source = 'file' desc, source) as camera,
    first(year(captured_at) order by source = 'file' desc, source) as captured_year
  from exif
  where make is not null or model is not null or captured_at is not null
  group by image_id
),

origins as (
  select
    ri.image_id,
    min(concat_ws(' ', r.provider, r.dataset)) as origin,
    min(r.institution) as institution
  from record_images as ri
  inner join records as r on ri.provider = r.provider and ri.source_id = r.source_id
  group by ri.image_id
),

measured as (
  select *
  from quality
  where method = 'imagelake'
),

numbers as (
  select
    i.image_id,
    unnest([
      'score', 'blur', 'noise', 'exposure', 'compression', 'sharpness', 'brightness', 'contrast', 'entropy_bits',
      'colourfulness', 'width_px', 'height_px', 'aspect', 'length_bytes', 'bytes_per_pixel', 'captured_year'
    ]) as property,
    unnest([
      q.score, q.blur, q.noise, q.exposure, q.compression, q.sharpness, q.brightness, q.contrast, q.entropy_bits,
      q.colourfulness, i.width_px, i.height_px, i.width_px / i.height_px, i.length_bytes,
      i.length_bytes / i.width_px / i.height_px, c.captured_year
    ]) as number
  from images as i
  left join measured as q on i.image_id = q.image_id
  left join cameras as c on i.image_id = c.image_id
),

texts as (
  select
    i.image_id,
    unnest(['is_grey', 'format', 'mode', 'camera', 'origin', 'institution']) as property,
    unnest([q.is_grey::varchar, i.format, i.mode, c.camera, o.origin, o.institution]) as text
  from images as i
  left join measured as q on i.image_id = q.image_id
  left join cameras as c on i.image_id = c.image_id
  left join origins as o on i.image_id = o.image_id
),

described as (
  select
    image_id,
    property,
    number,
    null as text
  from numbers
  union all
  select
    image_id,
    property,
    null as number,
    text
  from texts
),

facts as (
  select
    g.task,
    g.label,
    d.property,
    d.number,
    d.text
  from given as g
  inner join described as d on g.image_id = d.image_id
),

cuts as (
  select
    task,
    property,
    quantile_disc(number, [0.2, 0.4, 0.6, 0.8]) as edges
  from facts
  group by task, property
),

placed as (
  select
    f.*,
    (f.number > c.edges[1])::integer + (f.number > c.edges[2])::integer
    + (f.number > c.edges[3])::integer + (f.number > c.edges[4])::integer as fifth
  from facts as f
  inner join cuts as c on f.task = c.task and f.property = c.property
),

ranked as (
  select
    task,
    property,
    text,
    row_number() over (partition by task, property order by count(*) desc, text asc) as place
  from placed
  where text is not null
  group by task, property, text
),

spanned as (
  select
    *,
    format('{:g}', min(number) over (partition by task, property, fifth)) as lowest,
    format('{:g}', max(number) over (partition by task, property, fifth)) as highest
  from placed
),

valued as (
  select
    s.task,
    s.label,
    s.property,
    case
      when s.number is not null then concat_ws(' to ', s.lowest, nullif(s.highest, s.lowest))
      when s.text is null then 'unknown'
      when r.place <= 9 then s.text
      else 'others'
    end as value
  from spanned as s
  left join ranked as r on s.task = r.task and s.property = r.property and s.text = r.text
),

cells as (
  select
    task,
    property,
    label,
    value,
    count(*) as images,
    sum(count(*)) over (partition by task, property, label)::double as of_label,
    sum(count(*)) over (partition by task, property, value)::double as of_value,
    sum(count(*)) over (partition by task, property)::double as overall
  from valued
  group by task, property, label, value
),

judged as (
  select
    *,
    -- adjusted residual (Haberman 1973): standard normal without a connection
    (images - of_label * of_value / overall)
    / sqrt(nullif(of_label * of_value / overall * (1 - of_label / overall) * (1 - of_value / overall), 0)) as residual
  from cells
),

tables as (
  select
    task,
    property,
    any_value(overall) as n,
    count(distinct label)::double as labels,
    count(distinct value)::double as vals,
    any_value(overall) * (sum(images * images / of_label / of_value) - 1) as chi_square,
    max(struct_pack(
      residual := residual,
      label := label,
      value := value,
      images := images,
      share_of_label := images / of_label,
      share_overall := of_value / overall
    )) filter (where images >= 5) as cell
  from judged
  group by task, property
  having count(distinct label) > 1 and count(distinct value) > 1
),

corrected as (
  select
    *,
    (labels - 1) * (vals - 1) as freedom,
    greatest(0, chi_square / n - (labels - 1) * (vals - 1) / (n - 1)) as phi_square,
    labels - (labels - 1) ^ 2 / (n - 1) as labels_left,
    vals - (vals - 1) ^ 2 / (n - 1) as vals_left
  from tables
)

select
  task,
  property,
  n::bigint as images_in_all,
  labels::bigint as labels,
  least(1, sqrt(phi_square / nullif(greatest(0, least(labels_left, vals_left) - 1), 0))) as strength,
  (cbrt(chi_square / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom)) as z,
  struct_extract(cell, 'label') as label,
  struct_extract(cell, 'value') as value,
  struct_extract(cell, 'images') as images,
  struct_extract(cell, 'share_of_label') as share_of_label,
  struct_extract(cell, 'share_overall') as share_overall
from corrected
