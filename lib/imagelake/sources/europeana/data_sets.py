"""Europeana's facets and data sets: how many records there are of each, and who delivered them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from imagelake.errors import ApiError, BadItem
from imagelake.fetch.api import JsonApi
from imagelake.sources.europeana.queries import Filters, Query, quoted
from imagelake.sources.europeana.service import PROVIDER, ahead, first_text, is_refused, natural, search
from imagelake.sources.harvesting import Known, Page, Row

FACET = "edm_datasetName"
_FACET_LIMIT = 1000  # values asked for at a time; the service gives 50 where nothing is asked for
_PAGE_ROWS = 100


def facet_counts(api: JsonApi, facet: str, query: Query) -> Iterator[tuple[str, int]]:
    """Every value of a facet with its number of records, most frequent first.

    Raises:
        ApiError: the service refused.
    """
    found: dict[str, int] = {}
    params = [(name, value) for name, value in query.params if name not in ("sort", "profile")]
    params += [("profile", "facets"), ("rows", "0"), ("facet", facet), (f"f.{facet}.facet.limit", str(_FACET_LIMIT))]
    while True:
        reply = search(api, [*params, (f"f.{facet}.facet.offset", str(len(found)))])
        fields = [
            (label, natural(field.get("count")) or 0)
            for named in reply.get("facets") or []
            if named.get("name") == facet
            for field in named.get("fields") or []
            if (label := first_text(field.get("label")))
        ]
        new = {label: count for label, count in fields if label not in found}
        yield from new.items()
        found |= new
        if len(fields) < _FACET_LIMIT or not new:  # not new: a service that gives the same values again
            return


@dataclass(frozen=True)
class Collections:
    """The data sets with pictures.

    Args:
        api: the service.
        query: the query within which data sets are counted.
        filters: its filters; they hold for the data sets too.
        min_size: leave out smaller data sets.
        concurrency: requests at a time.
    """

    api: JsonApi
    query: str
    filters: Filters
    min_size: int
    concurrency: int

    def pages(self, known: Known) -> Iterator[Page]:
        """Rows of `collections`, 100 on a page; a data set that cannot be asked for is rejected.

        Raises:
            ApiError: the service refused the query or does not answer.
        """
        counts = facet_counts(self.api, FACET, self.filters.query(self.query))
        large = [(name, count) for name, count in counts if count >= self.min_size]
        known.details["datasets"] = len(large)
        known.details["records"] = sum(count for _, count in large)
        rows = ahead(self._row, large, self.concurrency)
        while found := list(islice(rows, _PAGE_ROWS)):
            page = Page(rejects=[reject for reject in found if isinstance(reject, tuple)])
            page.rows["collections"] = [row for row in found if not isinstance(row, tuple)]
            page.written = len(page.rows["collections"])
            yield page

    def _row(self, dataset: tuple[str, int]) -> Row | tuple[str, BadItem]:
        name, count = dataset
        query = replace(self.filters, profile="minimal").query(self.query, qf=f"{FACET}:{quoted(name)}")
        try:
            items: Sequence[object] = search(self.api, [*query.params, ("rows", "1")]).get("items", [])
        except ApiError as error:
            if not is_refused(error):
                raise
            return f"{PROVIDER}:data set {name}", BadItem("refused", str(error))
        item = items[0] if items and isinstance(items[0], dict) else {}
        by = {"aggregator": first_text(item.get("provider")), "institution": first_text(item.get("dataProvider"))}
        return {"provider": PROVIDER, "dataset": name, "records": count, **by}
