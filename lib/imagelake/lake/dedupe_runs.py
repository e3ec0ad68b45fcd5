"""Whether duplicates have been looked for: the last run of `dedupe` in, what there is to say about some images out."""

from imagelake.lake.session import Session

# The time of the start: a picture that came while the run was at work may have been missed.
_NEWER = """
select l.at is not null, count(i.image_id)
from (
  select max(started_at) as at
  from latest_runs
  where job = 'dedupe' and status = 'succeeded' and json_extract_string(config, '$.calibrate') = 'false'
) as l
left join images as i on i.ingested_at > l.at and i.image_id in (select image_id from {images})
group by l.at
"""


def not_looked_for(session: Session, images: str) -> str | None:
    """A warning where `dedupe` has not run, or not since the last of some images came; else None.

    Args:
        session: a session over the lake.
        images: a table with their `image_id`.
    """
    has_run, newer = session.execute(_NEWER.format(images=images)).fetchall()[0]
    if not has_run:
        return "not looked for: run imagelake dedupe"
    return (
        f"not looked for in {newer:,} image{'s'[: newer != 1]} that came later: run imagelake dedupe" if newer else None
    )
