"""A free-text search of Flickr as pages of records.

Flickr gives the first 4,000 results of a search. A larger one is read in windows of upload time small enough to be
given whole. What was asked is one query with its place in it (window and page), so that a harvest that was stopped
goes on where it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imagelake.errors import SourceError
from imagelake.sources.flickr.collect import Collector, Columns, Found, Wanted, count, list_collector
from imagelake.sources.flickr.lists import Listed, PageRange, listed_pages
from imagelake.sources.flickr.rows import extras
from imagelake.sources.flickr.service import Flickr, Reply
from imagelake.sources.flickr.windows import ALL_TIME, Window, asked_window, behind, parts
from imagelake.sources.harvesting import Known, Page, Position

REACHABLE = 4000  # results that Flickr gives of one search
SAFE = 3000  # reported totals are too low by up to 750, so a window that is to be given whole must report fewer
UNREACHED = "results that Flickr does not give"
SORTS = tuple(f"{what}-{way}" for what in ("date-posted", "date-taken", "interestingness") for way in ("asc", "desc"))
SORTS = ("relevance", *SORTS)
_ALL = "all"  # the search without windows


@dataclass(frozen=True)
class Search:
    """What is searched for.

    Args:
        text: the search term.
        tag: a tag that the photos must have, or several with commas, all of them.
        sort: one of `SORTS`.
        pages: which pages; a part is read without windows, of the first 4,000 results.
        earliest: upload time, seconds since 1970, included; None for any.
        latest: the same, included.

    Raises:
        UsageError: `earliest` is after `latest`.
    """

    text: str
    tag: str | None = None
    sort: str = SORTS[0]
    pages: PageRange = field(default_factory=PageRange)
    earliest: int | None = None
    latest: int | None = None

    def __post_init__(self) -> None:
        asked_window(self.earliest, self.latest)

    def arguments(self) -> dict[str, object]:
        """The arguments of the method, without place and window."""
        mode = "all" if self.tag and "," in self.tag else None
        named = {"text": self.text, "tags": self.tag, "tag_mode": mode, "sort": self.sort, "media": "photos"}
        return {**named, "per_page": self.pages.size}

    def query(self, wanted: Wanted) -> str:
        """The search as JSON, without its place."""
        asked = {**self.arguments(), "start_page": self.pages.start, "page_limit": self.pages.limit}
        return wanted.query({**asked, "min_upload_date": self.earliest, "max_upload_date": self.latest})


def search_pages(flickr: Flickr, search: Search, wanted: Wanted, known: Known) -> Iterator[Page]:
    """The pages of a search, from where a stopped run left it, or from the beginning.

    Raises:
        SourceError: nothing is found, or the page range begins behind the end.
        ApiError: the API refuses.
    """
    query = search.query(wanted)
    position = wanted.position(known, query)
    columns = Columns(wanted.size, wanted.task, query=query)
    collector = list_collector(flickr, known, wanted, position, columns)
    return _SearchPages(flickr, search, wanted, collector).pages(position)


class _SearchPages:
    """Reads a search; `collector` makes pages of what was found, and its room is the limit."""

    def __init__(self, flickr: Flickr, search: Search, wanted: Wanted, collector: Collector) -> None:
        self._flickr = flickr
        self._search = search
        self._wanted = wanted
        self._collector = collector
        self._details = collector.known.details
        self._asked = asked_window(search.earliest, search.latest)
        self._most = max(1, REACHABLE // search.pages.size)  # pages that lie within what is given
        self._todo: list[Window] = []  # windows to be read, the next one last

    def pages(self, position: Position | None) -> Iterator[Page]:
        name, _, page = (position.cursor if position else f"{_ALL}/{self._search.pages.start}").rpartition("/")
        if name == _ALL:
            yield from self._search_without_windows(int(page), is_first=position is None)
        else:
            window = Window.parse(name)
            self._todo = behind(window.hi, self._asked)[::-1]
            yield from self._window(window, int(page))
        while self._todo and not self._collector.is_full:
            yield from self._window(self._todo.pop(), 1)

    def _search_without_windows(self, first: int, *, is_first: bool) -> Iterator[Page]:
        """A search that is given whole; the first pages of a larger one where so many or these are wanted."""
        wanted = self._search.pages
        last = wanted.last(self._most)
        for listed in self._listed(None, first, last):
            if is_first and listed.page == first:
                self._check(listed)
            more = listed.total > SAFE and wanted.is_whole
            if more and self._collector.room is None:
                self._todo = parts(ALL_TIME, self._asked)[::-1]
                return
            if listed.is_last and more:
                self._todo = parts(ALL_TIME, self._asked)[::-1]
            yield from self._pages(_ALL, listed)

    def _check(self, listed: Listed) -> None:
        if listed.total == 0 and not listed.photos:
            raise SourceError(f"Flickr has no photos for {self._search.text!r}")
        if not self._search.pages.is_whole:
            self._search.pages.check(listed, self._most, self._details)

    def _window(self, window: Window, first: int) -> Iterator[Page]:
        """The photos of a window, or of its parts where it has too many."""
        for listed in self._listed(window, first, self._most):
            smaller = parts(window, self._asked) if listed.total > SAFE else [window]
            if len(smaller) > 1:
                self._todo += smaller[::-1]
                return
            if listed.is_last and listed.total > listed.page * self._search.pages.size:
                count(self._details, UNREACHED, listed.total - listed.page * self._search.pages.size)
            yield from self._pages(str(window), listed)

    def _listed(self, window: Window | None, first: int, last: int) -> Iterator[Listed]:
        arguments = {**self._search.arguments(), "extras": extras(self._wanted.size)}
        if window is not None:
            window = window.within(self._asked)
            arguments |= {"min_upload_date": window.lo, "max_upload_date": window.hi - 1}
        else:
            arguments |= {"min_upload_date": self._search.earliest, "max_upload_date": self._search.latest}

        def ask(page: int) -> Reply:
            return self._flickr.call("flickr.photos.search", {**arguments, "page": page})

        return listed_pages(ask, first, last, self._search.pages.size)

    def _pages(self, name: str, listed: Listed) -> Iterator[Page]:
        """The pages of records of one page of results."""
        after: str | None = f"{name}/{listed.page + 1}"
        if listed.is_last:
            after = f"{self._todo[-1]}/1" if self._todo else None
        found = [Found(photo, self._wanted.labels) for photo in listed.photos]
        return self._collector.placed(found, listed.total, f"{name}/{listed.page}", after)
