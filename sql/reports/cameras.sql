-- title: Cameras
-- grain: make and model, the 20 most frequent
-- chart: bars of images
select
  -- many makers repeat their name in the model
  case
    when make is null then model
    when starts_with(lower(coalesce(model, '')), lower(split_part(make, ' ', 1))) then model
    else concat_ws(' ', make, model)
  end as camera,
  count(*) as images,
  min(captured_at) as first_captured_at,
  max(captured_at) as last_captured_at
from exif
where make is not null or model is not null
group by camera
order by images desc, camera asc
limit 20
