-- title: The lake at a glance
-- grain: one row in all
select
  (select count(*) from images) as images,
  (select coalesce(sum(length_bytes), 0)::bigint from images) as bytes,
  (select count(*) from sightings) as sightings,
  (select count(*) from archives) as archives,
  (select count(*) from latest_failures) as rejected_items,
  (select count(distinct model_id) from embeddings) as models,
  (select min(captured_at) from exif) as first_captured_at,
  (select max(captured_at) from exif) as last_captured_at
