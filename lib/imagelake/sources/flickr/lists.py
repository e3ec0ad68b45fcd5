"""Pages of a list of photos, as `photos.search` and `groups.pools.getPhotos` give them, read to their end.

Totals are not believed: they are text in old replies, shrink and grow while a list is read, and count too few. Past
the end Flickr may give nothing, or the last page again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from imagelake.errors import ApiError, SourceError, UsageError
from imagelake.sources.flickr.rows import Photo
from imagelake.sources.flickr.service import Reply, as_int

MAX_PER_PAGE = 500


@dataclass(frozen=True)
class PageRange:
    """Which pages of a list are wanted, as the user says: from `start`, at most `limit` of them, `size` photos each.

    Raises:
        UsageError: a number is out of range.
    """

    start: int = 1
    limit: int | None = None
    size: int = MAX_PER_PAGE

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_PER_PAGE:
            raise UsageError(f"--per-page {self.size}: 1 to {MAX_PER_PAGE}")
        if self.start < 1:
            raise UsageError(f"--start-page {self.start}: pages are counted from 1")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--page-limit {self.limit}: at least 1")

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole list."""
        return self.start == 1 and self.limit is None

    def last(self, most: int) -> int:
        """The last page wanted, where Flickr gives `most`.

        Raises:
            SourceError: the range begins behind them.
        """
        if self.start > most:
            raise SourceError(f"--start-page {self.start}: Flickr gives {most:,} pages of such a list")
        return most if self.limit is None else min(most, self.start + self.limit - 1)

    def check(self, listed: "Listed", most: int, details: dict[str, object]) -> None:
        """Say where the range goes beyond the list.

        Args:
            listed: the first page that was read.
            most: the number of pages that Flickr gives at most.
            details: gets a line where fewer pages are read than asked for.

        Raises:
            SourceError: the range begins behind the end of the list.
        """
        pages = min(most, listed.pages)
        if self.start > max(1, pages):
            raise SourceError(f"--start-page {self.start} is behind the last page, {pages} ({listed.total:,} photos)")
        wanted = listed.pages if self.limit is None else self.start + self.limit - 1
        if wanted > pages:
            asked = f"pages {self.start} to {wanted} asked for"
            details["page limit"] = f"{asked}, {pages} can be read ({listed.total:,} photos)"


@dataclass(frozen=True)
class Listed:
    """One page of a list.

    Args:
        page: its number, from 1.
        photos: its rows; none on a page that only says that the list has ended.
        total: number of photos in the list, as the reply says.
        pages: number of pages, as the reply says.
        is_last: whether the list ends here, or is not to be read further.
    """

    page: int
    photos: list[Photo]
    total: int
    pages: int
    is_last: bool


def listed_pages(ask: Callable[[int], Reply], first: int, last: int, size: int) -> Iterator[Listed]:
    """Read a list page by page.

    A page that is full is followed by the next one even where the reply says that it is the last. The list ends with
    an empty page, with one that only repeats the page before, or at `last`.

    Args:
        ask: gets the reply for a page.
        first: the page to begin with.
        last: the last page that may be asked for.
        size: rows of a full page.

    Raises:
        ApiError: the API refuses, or its reply is no list.
    """
    before: set[str] = set()
    for page in range(first, last + 1):
        found, total, pages = _parsed(ask(page), size)
        ids = {str(photo.get("id")) for photo in found}
        if ids <= before:
            found = []
        ends = not found or page == last or (page >= pages and len(found) < size)
        yield Listed(page, found, total, pages, ends)
        if ends:
            return
        before = ids


def _parsed(reply: Reply, size: int) -> tuple[list[Photo], int, int]:
    """Rows, total and pages of a reply."""
    listed = reply.get("photos")
    if not isinstance(listed, Mapping):
        raise ApiError("Flickr: the reply has no list of photos")
    given = listed.get("photo")
    photos = [row for row in given if isinstance(row, Mapping)] if isinstance(given, list) else []
    total = max(0, as_int(listed.get("total"), len(photos)))
    return photos, total, as_int(listed.get("pages"), -(-total // size))
