"""Pending downloads: the addresses of records that were not fetched, as an anti-join."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from imagelake.lake.pending import bound
from imagelake.lake.session import Session


@dataclass(frozen=True)
class Selection:
    """Which records are to be downloaded, and what counts as done.

    Args:
        where: a condition on `records`, in SQL; None for all.
        thumbnails: address of a thumbnail service with `{uri}` for the encoded address; None for the pictures.
        sample: share of the addresses, from 0 to 1, the same ones every time.
        limit: the most addresses; None for all.
        refresh: ask for what was fetched, too, with the validators of the last answer.
        retry_failed: ask again for what failed.
        only_reasons: of the failures, only those of these reasons; empty for all.
    """

    where: str | None = None
    thumbnails: str | None = None
    sample: float = 1.0
    limit: int | None = None
    refresh: bool = False
    retry_failed: bool = False
    only_reasons: Sequence[str] = ()


class PendingDownloads:
    """Addresses that are to be fetched.

    Args:
        session: a session over the tables as the committer knows them.
        selection: which.
    """

    def __init__(self, session: Session, selection: Selection) -> None:
        self._session = session
        bound(session)
        session.prepare("select * from records, fetches")
        session.execute(
            _PENDING.format(where=selection.where or "true"),
            {
                "thumbnails": selection.thumbnails,
                "sample": selection.sample,
                "refresh": selection.refresh,
                "retry_failed": selection.retry_failed,
                "reasons": list(selection.only_reasons),
                "limit": selection.limit if selection.limit is not None else (1 << 62),
            },
        )
        numbers = session.execute(_NUMBERS).fetchall()[0]
        self.count, self.present, self.rejected_earlier, self.without_address = map(int, numbers)

    def batches(self, rows: int) -> Iterator[dict[str, pa.Table]]:
        """Stream the addresses in an order that mixes the hosts, as tables `wants`."""
        if self.count:
            for batch in self._session.batches(_STREAM, rows=rows):
                yield {"wants": pa.Table.from_batches([batch])}


# The condition is the operator's own SQL, as in `imagelake sql`; everything else is bound.
_PENDING = """
create or replace temp table downloads as
with chosen as (
  select provider, media_url, thumbnail_url, page_url, "sha256"
  from records
  where ({where})
),
addresses as (
  select
    media_url,
    min(
      case
        when $thumbnails is null then media_url
        when provider = 'europeana' then replace($thumbnails, '{{uri}}', url_encode(media_url))
        else coalesce(thumbnail_url, media_url)
      end
    ) as url,
    min(page_url) as page_url,
    if($thumbnails is null, min("sha256"), null) as "sha256"
  from chosen
  where regexp_matches(media_url, '^https?://', 'i')
  group by media_url
),
sampled as (
  select min(media_url) as media_url, url, min(page_url) as page_url, min("sha256") as "sha256"
  from addresses
  group by url
  having $sample >= 1 or (md5_number(url) % 1000000)::double / 1000000 < $sample
),
latest as (
  select
    url,
    max_by(outcome, (fetched_at, attempt)) as outcome,
    max_by(reason, (fetched_at, attempt)) as reason,
    max_by(etag, fetched_at) filter (outcome in ('stored', 'not_modified')) as etag,
    max_by(last_modified, fetched_at) filter (outcome in ('stored', 'not_modified')) as last_modified
  from fetches
  where outcome <> 'retried'
  group by url
),
refused as (
  select distinct media_url
  from fetches
  where reason = 'forgotten'
),
stated as (
  select
    s.*, l.etag, l.last_modified,
    case
      when r.media_url is not null then 'rejected'
      when l.url is null then 'pending'
      when l.outcome <> 'failed' then if($refresh, 'pending', 'present')
      when $retry_failed and (len($reasons) = 0 or list_contains($reasons, l.reason)) then 'pending'
      else 'rejected'
    end as state
  from sampled as s
  left join latest as l on s.url = l.url
  left join refused as r on s.media_url = r.media_url
),
ranked as (
  select *, row_number() over (partition by state order by md5_number(url)) as place
  from stated
)
select * exclude (place)
from ranked
where state <> 'pending' or place <= $limit
"""

_NUMBERS = """
select
  count(*) filter (state = 'pending'),
  count(*) filter (state = 'present'),
  count(*) filter (state = 'rejected'),
  (select count(*) from records where media_url is null)
from downloads
"""

_STREAM = """
select url, media_url, page_url, "sha256", etag, last_modified
from downloads
where state = 'pending'
order by md5_number(url)
"""
