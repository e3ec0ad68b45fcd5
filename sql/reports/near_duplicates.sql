-- title: Groups of duplicates and near-duplicates
-- grain: relation, and what a member has in common with the keeper of its group
-- chart: bars of members
select
  relation,
  via,
  count(*) as members,
  count(distinct group_id) as groups,
  round(median(distance), 3) as median_distance
from groups
where role = 'member'
group by relation, via
order by relation asc, members desc, via asc
