-- grain: image_id, task, annotator, label. The newest statement of each annotator.
select *
from labels
qualify rank() over (partition by image_id, task, annotator order by labelled_at desc) = 1
