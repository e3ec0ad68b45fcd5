"""Europeana's records by id: ids in, pages of their files and of records that the lake does not have out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from imagelake.errors import ApiError, BadItem
from imagelake.fetch.api import JsonApi
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from imagelake.sources.europeana.ids import record_id
from imagelake.sources.europeana.objects import record_row, resource_rows
from imagelake.sources.europeana.service import PROVIDER, ahead, is_refused, without_key
from imagelake.sources.harvesting import Known, Page
from imagelake.sources.names import printable

_PAGE_ROWS = 100
_CHUNK = 10_000
_IN_A_ROW = 20  # so many records that the service fails to give are not the records' fault
_SERVER_ERROR = 500


@dataclass
class Records:
    """Records by id.

    Args:
        api: the service.
        lake: the lake.
        report: of the run; gets the number of records that earlier runs rejected.
        listed: ids, addresses or names of files, as given; None for all records of the lake.
        retry_failed: ask again for what earlier runs rejected.
        concurrency: requests at a time.
    """

    api: JsonApi
    lake: Lake
    report: RunReport
    listed: Iterable[str] | None
    retry_failed: bool = False
    concurrency: int = 10

    def pages(self, known: Known) -> Iterator[Page]:
        """Pages of records that the lake has no files of.

        Raises:
            ApiError: the service refused the key or does not answer.
        """
        with Session(self.lake) as session:
            session.execute("create temp table asked (place bigint, source_id varchar)")
            if self.listed is None:
                session.execute(_FROM_LAKE, {"provider": PROVIDER})
            else:
                yield from self._read_list(session, self.listed)
            session.execute(
                "create temp table wanted"
                " (source_id varchar, place bigint, times bigint, is_present boolean, is_rejected boolean)"
            )
            about = {"provider": PROVIDER, "job": self.report.job, "retry": self.retry_failed}
            session.execute(_WANTED, about)
            present, self.report.rejected_earlier = session.execute(_COUNTS).fetchall()[0]
            yield Page(present=present)
            todo = (row["source_id"] for batch in session.batches(_TODO) for row in batch.to_pylist())
            results = self._judged(ahead(self._asked, todo, self.concurrency))
            while found := list(islice(results, _PAGE_ROWS)):
                yield _page(known, found)

    def _read_list(self, session: Session, listed: Iterable[str]) -> Iterator[Page]:
        """Fill the table `asked`; yields pages of what is no id, each once."""
        bad: set[str] = set()
        place = 0
        listed = iter(listed)
        while chunk := list(islice(listed, _CHUNK)):
            page = Page()
            ids = []
            for text in chunk:
                try:
                    ids.append(record_id(text))
                except BadItem as error:
                    page.present += text in bad
                    if text not in bad:
                        page.rejects.append((f"{PROVIDER}:{printable(text)}", error))
                    bad.add(text)
            asked = pa.table({"place": pa.array(range(place, place + len(ids)), pa.int64()), "source_id": ids})
            session.con.register("chunk", asked)
            session.con.execute("insert into asked select place, source_id from chunk")
            session.con.unregister("chunk")
            place += len(ids)
            yield page

    def _asked(self, source_id: str) -> tuple[str, dict[str, Any] | BadItem | ApiError]:
        """What the service has of one record, or what was wrong; runs in threads."""
        try:
            found = self.api.get(f"/record/v2{source_id}.json").get("object")
        except ApiError as error:
            status = error.__dict__.get("status")
            if is_refused(error):
                return source_id, BadItem(f"http_{status}", str(error))
            if status is None or status < _SERVER_ERROR:
                raise
            return source_id, error
        return source_id, found if isinstance(found, dict) else BadItem("no_record", "the answer holds no record")

    def _judged(
        self, results: Iterable[tuple[str, dict[str, Any] | BadItem | ApiError]]
    ) -> Iterator[tuple[str, dict[str, Any] | BadItem]]:
        """Records that the service fails to give are rejected once it has given another: it is not down."""
        failed: list[tuple[str, ApiError]] = []
        has_given = False
        for source_id, found in results:
            if isinstance(found, ApiError):
                failed.append((source_id, found))
                if len(failed) == _IN_A_ROW:
                    raise found
                continue
            has_given = True
            yield from _rejected(failed)
            failed.clear()
            yield source_id, found
        if failed and not has_given:
            raise failed[0][1]
        yield from _rejected(failed)


def _rejected(failed: Iterable[tuple[str, ApiError]]) -> Iterator[tuple[str, BadItem]]:
    for source_id, error in failed:
        yield source_id, BadItem(f"http_{error.__dict__['status']}", str(error))


def _page(known: Known, found: Iterable[tuple[str, dict[str, Any] | BadItem]]) -> Page:
    """Rows of what was found; a row of `records` only where the lake has none."""
    page = Page(written=0)
    records = {}
    resources = page.rows["web_resources"] = []
    for source_id, told in found:
        try:
            if isinstance(told, BadItem):
                raise told
            record, raw = without_key(told)
            resources += resource_rows(record, source_id)
            records[source_id] = (record, raw)
            page.written = len(records)
        except BadItem as bad:
            page.rejects.append((f"{PROVIDER}:{source_id}", bad))
    new = known.new_ids(list(records))
    rows = [record_row(*told, source_id) for source_id, told in records.items() if source_id in new]
    page.rows["records"], _ = known.split(rows)
    return page


_FROM_LAKE = """
insert into asked
select row_number() over (order by source_id) as place, source_id
from records
where provider = $provider
"""
_WANTED = """
insert into wanted
select
  source_id,
  min(place) as place,
  count(*) as times,
  source_id in (select source_id from web_resources where provider = $provider) as is_present,
  not $retry and 'europeana:' || source_id in (select item from failures where job = $job) as is_rejected
from asked
group by source_id
"""
# of an id that is listed twice the second is present, whatever becomes of the first
_COUNTS = """
select
  coalesce(sum(case when is_present then times else times - 1 end), 0)::bigint as present,
  count(*) filter (where is_rejected and not is_present) as rejected_earlier
from wanted
"""
_TODO = """
select source_id
from wanted
where not is_present and not is_rejected
order by place
"""
