"""Queries in, pages of records out: every result once, several queries at a time, each from where it stopped.

A query's pages can only be asked for one after the other (each names the next), so the next one is under way while
a page is made into rows. A page beyond what a query still needs is not asked for.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from imagelake.errors import ApiError, BadItem
from imagelake.fetch.api import JsonApi
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.sources.europeana.queries import Query
from imagelake.sources.europeana.service import PROVIDER, first_text, is_refused, natural, record_row, search
from imagelake.sources.harvesting import Known, Page, Row

BEGIN = "*"  # the cursor of the first page
_BAD_REQUEST = 400


class Balance:
    """Which records have a label and which its opposite, so that negatives can be as many as positives.

    Holds the ids of the labelled records in memory: sets for training, not whole harvests.

    Args:
        lake: the lake.
        task: the labelling task.
        positive: the label of which negatives are wanted as well.
        negative: the negatives' label.
    """

    def __init__(self, lake: Lake, task: str, positive: str, negative: str) -> None:
        self._ids: dict[str, set[str]] = {positive: set(), negative: set()}
        self._positive, self._negative = positive, negative
        with Session(lake) as session:
            for label, ids in self._ids.items():
                asked = {"provider": PROVIDER, "task": task, "label": label}
                ids.update(row[0] for row in session.execute(_LABELLED, asked).fetchall())

    @property
    def missing(self) -> int:
        """How many negatives are wanted."""
        return max(0, len(self._ids[self._positive]) - len(self._ids[self._negative]))

    def add(self, label: str, source_ids: Sequence[str]) -> None:
        """Remember records that got a label."""
        if label in self._ids:
            self._ids[label].update(source_ids)

    def unlabelled(self, source_ids: Sequence[str]) -> set[str]:
        """Those that have neither label."""
        return set(source_ids).difference(*self._ids.values())


_LABELLED = """
select source_id
from record_labels
where provider = $provider and task = $task and label = $label
"""


@dataclass
class _Walk:
    """A query's way through its pages: number of the last page, cursor of the next one, records still wanted."""

    query: Query
    number: int
    cursor: str
    left: float
    has_begun_again: bool = False


@dataclass
class Harvest:
    """One run's harvest of queries.

    Args:
        api: the service.
        known: what the lake has.
        task: the task of the labels.
        rows: records on a page, 1 to 100.
        concurrency: queries at a time.
        left: records that may still be harvested.
        restart: begin every query at its first page.
        balance: what is labelled, where negatives are wanted.
    """

    api: JsonApi
    known: Known
    task: str | None = None
    rows: int = 100
    concurrency: int = 4
    left: float = math.inf
    restart: bool = False
    balance: Balance | None = None

    def __post_init__(self) -> None:
        self._asked: dict[Future[dict[str, Any]], _Walk] = {}

    def pages(self, queries: Sequence[Query]) -> Iterator[Page]:
        """Every page of every query.

        Raises:
            ApiError: the service refused a query or does not answer.
        """
        todo = deque(queries)
        pool = ThreadPoolExecutor(self.concurrency, "europeana")
        try:
            while True:
                while todo and len(self._asked) < self.concurrency and self.left > self.rows * len(self._asked):
                    yield from self._begin(pool, todo.popleft())
                if not self._asked:
                    return
                for future in wait(self._asked, return_when=FIRST_COMPLETED).done:
                    walk = self._asked.pop(future)
                    reply = self._reply(walk, future)
                    if reply is None:
                        self._ask(pool, walk, BEGIN)
                    else:
                        yield self._page(pool, walk, reply)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, query: Query) -> Iterator[Page]:
        place = self.known.position(query.text)
        quota = math.inf if query.quota is None else query.quota
        walk = _Walk(query, 0, BEGIN, quota)
        if place and self.restart:  # a last page of what was harvested so far
            walk.number = place.number + 1
            yield Page(query=query.text, number=walk.number, cursor=place.cursor)
        elif place:
            walk.number, walk.cursor = place.number, place.cursor
            walk.left -= 0 if query.negative else place.new_records
        if walk.left > 0:
            self._ask(pool, walk, walk.cursor)
        else:
            self._note("queries that had all their records (--restart asks for more)")

    def _ask(self, pool: ThreadPoolExecutor, walk: _Walk, cursor: str) -> None:
        walk.cursor = cursor
        params = [*walk.query.params, ("rows", str(self.rows)), ("cursor", cursor)]
        self._asked[pool.submit(search, self.api, params)] = walk

    def _reply(self, walk: _Walk, future: Future[dict[str, Any]]) -> dict[str, Any] | None:
        """The reply; None where the query must begin again because its cursor is not known any more."""
        try:
            return future.result()
        except ApiError as error:
            if error.__dict__.get("status") != _BAD_REQUEST or not is_refused(error):
                raise
            if walk.cursor == BEGIN or walk.has_begun_again:
                raise ApiError(f"{error}; the query is {walk.query.text}") from error
        walk.has_begun_again = True
        self._note("queries begun again because their place had expired")
        return None

    def _page(self, pool: ThreadPoolExecutor, walk: _Walk, reply: dict[str, Any]) -> Page:
        items, cursor, after = reply.get("items", []), walk.cursor, _next_cursor(reply, walk.cursor)
        room = min(walk.left, self.left)
        is_ahead = after is not None and len(items) < room
        if after is not None and is_ahead:
            self._ask(pool, walk, after)
        walk.number += 1
        page = Page(query=walk.query.text, number=walk.number, cursor=None if cursor == BEGIN else cursor)
        page.total = natural(reply.get("totalResults"))
        rows = self._parsed(page, items)
        kept = rows if len(rows) <= room else self._fitting(walk.query, rows, int(room))
        # A page that was not taken whole is asked for again when more is wanted: the place stays where it is.
        page.next_cursor = after if len(kept) == len(rows) else cursor
        counted = self._fill(page, walk.query, kept)
        walk.left -= counted
        self.left -= counted
        if not is_ahead and page.next_cursor is not None and min(walk.left, self.left) > 0:
            self._ask(pool, walk, page.next_cursor)
        return page

    def _parsed(self, page: Page, items: Sequence[Any]) -> list[Row]:
        """The items as rows of `records`; those that cannot be records go to the page's rejects."""
        rows = []
        for place, item in enumerate(items):
            try:
                rows.append(record_row(item, page.query))
            except BadItem as bad:
                query = md5((page.query or "").encode(), usedforsecurity=False).hexdigest()[:12]
                page.rejects.append((f"{PROVIDER}:query {query} page {page.number} place {place}", bad))
        return rows

    def _fitting(self, query: Query, rows: list[Row], room: int) -> list[Row]:
        """The first rows, up to the last one that there is room for."""
        counting = self._counting(query, rows)
        for end, row in enumerate(rows):
            if row["source_id"] in counting:
                if room == 0:
                    return rows[:end]
                room -= 1
                counting.discard(str(row["source_id"]))
        return rows

    def _counting(self, query: Query, rows: Sequence[Row]) -> set[str]:
        """The records that the query wants: new ones; for negatives those without a label."""
        ids = [str(row["source_id"]) for row in rows]
        if query.negative and self.balance:
            return self.balance.unlabelled(ids)
        return self.known.new_ids(ids)

    def _fill(self, page: Page, query: Query, rows: list[Row]) -> int:
        """Put the rows on the page, with their labels; returns how many of them the query wanted."""
        wanted = self._counting(query, rows) if query.negative else {str(row["source_id"]) for row in rows}
        page.rows["records"], page.present = self.known.split(rows)
        if query.label is not None:
            about = {"provider": PROVIDER, "task": self.task, "label": query.label}
            page.rows["record_labels"] = [{**about, "source_id": source_id} for source_id in sorted(wanted)]
            if self.balance:
                self.balance.add(query.label, list(wanted))
        return len(wanted) if query.negative else len(page.rows["records"])

    def _note(self, what: str) -> None:
        count = self.known.details.get(what, 0)
        self.known.details[what] = count + 1 if isinstance(count, int) else 1


def _next_cursor(reply: dict[str, Any], cursor: str) -> str | None:
    """Where the next page begins; None at the end, which is also where the place does not move any more."""
    found = first_text(reply.get("nextCursor"))
    return None if found == cursor else found
