-- Members of a group whose keeper is not in it, and groups that say another size than they have.
with counted as (
  select
    relation,
    group_id,
    count(*) as images,
    count(*) filter (role = 'keeper') as keepers,
    max(size) as size
  from groups
  group by relation, group_id
)

select *
from counted
where keepers <> 1 or images <> size
