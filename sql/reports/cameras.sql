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
  case
    when min(year(captured_at)) < max(year(captured_at))
      then concat(min(year(captured_at)), ' to ', max(year(captured_at)))
    else min(year(captured_at))::varchar
  end as years
from exif
where make is not null or model is not null
group by camera
order by images desc, camera asc
limit 20
