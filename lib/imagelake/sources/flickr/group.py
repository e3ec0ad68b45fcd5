"""The pool of a Flickr group as pages of records."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imagelake.errors import SourceError, UsageError
from imagelake.sources.flickr.collect import Columns, Found, Wanted, list_collector
from imagelake.sources.flickr.ids import group_of
from imagelake.sources.flickr.lists import Listed, PageRange, listed_pages
from imagelake.sources.flickr.rows import extras
from imagelake.sources.flickr.service import Flickr, Reply
from imagelake.sources.harvesting import Known, Page

MAX_PAGE = 10_000  # behind it Flickr gives this page again


@dataclass(frozen=True)
class Group:
    """Which photos of which group.

    Args:
        group_id: its id.
        tag: a tag that the photos must have; the API takes one.
        pages: which pages of the pool.

    Raises:
        UsageError: several tags.
    """

    group_id: str
    tag: str | None = None
    pages: PageRange = field(default_factory=PageRange)

    def __post_init__(self) -> None:
        if "," in (self.tag or ""):
            raise UsageError(f"--filter-tag {self.tag}: Flickr takes one tag for the pool of a group")

    def arguments(self) -> dict[str, object]:
        """The arguments of the method, without place."""
        return {"group_id": self.group_id, "tags": self.tag, "per_page": self.pages.size}


def group_id(flickr: Flickr, text: str) -> str:
    """The id of the group that an id, the address of its page or a short link names.

    Raises:
        SourceError: the text names no group.
        ApiError: Flickr does not know it.
    """
    found, is_id = group_of(text)
    if is_id:
        return found
    reply = flickr.call("flickr.urls.lookupGroup", {"url": found})
    looked_up = reply.get("group") or {}
    if not looked_up.get("id"):
        raise SourceError(f"{found}: Flickr knows no group of this address")
    return str(looked_up["id"])


def group_pages(flickr: Flickr, group: Group, wanted: Wanted, known: Known) -> Iterator[Page]:
    """The pages of a group's pool, from where a stopped run left it, or from the beginning.

    Raises:
        SourceError: the pool has no such photos, or the page range begins behind its end.
        ApiError: the API refuses: no such group, no permission.
    """
    pages = group.pages
    query = wanted.query({**group.arguments(), "start_page": pages.start, "page_limit": pages.limit})
    position = wanted.position(known, query)
    columns = Columns(wanted.size, wanted.task, group.group_id, query)
    collector = list_collector(flickr, known, wanted, position, columns)

    def ask(page: int) -> Reply:
        arguments = {**group.arguments(), "extras": extras(wanted.size), "page": page}
        return flickr.call("flickr.groups.pools.getPhotos", arguments)

    first = int(position.cursor) if position else pages.start
    for listed in listed_pages(ask, first, pages.last(MAX_PAGE), pages.size):
        if position is None and listed.page == first:
            _check(group, listed, known.details)
        found = [Found(photo, wanted.labels) for photo in listed.photos]
        after = None if listed.is_last else str(listed.page + 1)
        yield from collector.placed(found, listed.total, str(listed.page), after)
        if collector.is_full:
            return


def _check(group: Group, listed: Listed, details: dict[str, object]) -> None:
    if listed.total == 0 and not listed.photos:
        tagged = f" with the tag {group.tag!r}" if group.tag else ""
        raise SourceError(f"the pool of group {group.group_id} has no photos{tagged}")
    group.pages.check(listed, MAX_PAGE, details)
