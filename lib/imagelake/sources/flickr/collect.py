"""From photos that Flickr listed to pages of records: what is new is described, the rest is accounted for.

In: photos with their labels. Out: `Page`s with rows of `records` and `record_labels`, rejects and counts. Requests
about single photos run side by side, as fast as the API's rate allows.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from imagelake.errors import BadItem, UsageError
from imagelake.sources.flickr.exif import check_required, exif_of
from imagelake.sources.flickr.lists import MAX_PER_PAGE
from imagelake.sources.flickr.rows import DEFAULT_SIZE, Photo, Row, compact, record
from imagelake.sources.flickr.service import CONCURRENCY, Flickr
from imagelake.sources.harvesting import Known, Page, Position

TOGETHER = 20  # photos asked about before they are written: twenty seconds of work at one request a second
REJECTED_EARLIER = "rejected by earlier runs and not tried again (--retry-failed)"
_ID = re.compile(r"[0-9]{1,20}")
_TOKEN = re.compile(r"[0-9A-Za-z]{1,64}")


class Found(NamedTuple):
    """A photo that was listed, and the labels that it is to have."""

    photo: Photo
    labels: Sequence[str] = ()


class Described(NamedTuple):
    """A photo after asking about it, and what `records.raw` is to hold."""

    photo: Photo
    raw: Row


Describe = Callable[[Photo], Described]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of photos, whichever way they are found.

    Args:
        size: a key of `rows.SIZES`: where `media_url` leads.
        exif: whether to ask for EXIF.
        required: tags that a photo's EXIF must have, keys of `exif.TAGS`.
        task: the labelling task of the labels.
        label: label of every photo.
        limit: new records, at most; those of a stopped run that this one goes on with count.
        restart: begin anew where a stopped run would be gone on with.

    Raises:
        UsageError: they contradict each other.
    """

    size: str = DEFAULT_SIZE
    exif: bool = True
    required: tuple[str, ...] = ()
    task: str = "concept"
    label: str | None = None
    limit: int | None = None
    restart: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit}: at least 1")
        if self.required and not self.exif:
            raise UsageError("--require-tags needs EXIF: leave out --metadata-only")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of every photo."""
        return (self.label,) if self.label else ()

    def query(self, asked: Mapping[str, object]) -> str:
        """A query as JSON: what is asked, and what else shapes the rows. A change of it begins a harvest anew."""
        shape = {"size": self.size, "exif": self.exif, "require_tags": list(self.required) or None}
        labels = {"task": self.task, "label": self.label} if self.label else {}
        given = {name: value for name, value in {**asked, **shape, **labels}.items() if value is not None}
        return json.dumps(given, sort_keys=True, ensure_ascii=False)

    def position(self, known: Known, query: str) -> Position | None:
        """Where a stopped run of the query is to be gone on with."""
        return None if self.restart else known.position(query)


@dataclass(frozen=True)
class Columns:
    """What the rows of a harvest share: a key of `rows.SIZES`, the labelling task, and two columns."""

    size: str = DEFAULT_SIZE
    task: str = "concept"
    dataset: str | None = None
    query: str | None = None


def describe_listed(flickr: Flickr, wanted: Wanted) -> Describe:
    """Describe photos by their row in a list and, where wanted, by their EXIF.

    The function raises BadItem: `not_a_photo`, `no_secret`, `not_found`, `exif_denied`, `missing_tags`.
    """

    def describe(photo: Photo) -> Described:
        check_photo(photo)
        if not has_secret(photo):
            raise BadItem("no_secret", "listed without secret or server, which its address is made of")
        return Described(photo, {"photo": photo, **exif_part(flickr, photo, wanted)})

    return describe


def check_photo(photo: Photo) -> None:
    """Hold that it is a photo, not a video.

    Raises:
        BadItem: `not_a_photo`.
    """
    if photo.get("media", "photo") != "photo":
        raise BadItem("not_a_photo", f"media is {str(photo['media'])[:50]}")


def has_secret(photo: Photo) -> bool:
    """Whether an address can be made of the photo's secret and server."""
    return all(_TOKEN.fullmatch(str(photo.get(name) or "")) for name in ("secret", "server"))


def exif_part(flickr: Flickr, photo: Photo, wanted: Wanted) -> Row:
    """The part of `records.raw` about EXIF; none where it is not wanted.

    Raises:
        BadItem: `not_found`, `exif_denied`, `missing_tags`.
    """
    if not wanted.exif:
        return {}
    exif = exif_of(flickr, photo)
    check_required(exif, wanted.required)
    return {"exif": exif.tags, "exif_status": exif.status}


def list_collector(
    flickr: Flickr, known: Known, wanted: Wanted, position: Position | None, columns: Columns
) -> "Collector":
    """The collector for photos that a list tells of, from a position of its query on."""
    room = None if wanted.limit is None else wanted.limit - (position.new_records if position else 0)
    number = position.number if position else 0
    return Collector(known, describe_listed(flickr, wanted), columns, flickr.rights, room, wanted.exif, number)


@dataclass
class Collector:
    """Turns listed photos into pages.

    Args:
        known: what the lake has.
        describe: makes a record's content of a new photo, or raises BadItem.
        columns: what all rows share.
        rights: the address of a licence by its number.
        room: the number of new records that may still come; None for any.
        asks: whether describing costs requests: it is done in several threads, some photos at a time, and not for
            those that earlier runs rejected.
        number: pages of the query that a stopped run has written.
    """

    known: Known
    describe: Describe
    columns: Columns
    rights: Callable[[object], str | None]
    room: int | None = None
    asks: bool = True
    number: int = 0
    # photos whose labels are written, and those that must not have any: a row is written once in a run
    _settled: set[str] = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self.room is not None and self.room <= 0

    def placed(self, found: Sequence[Found], total: int, cursor: str, after: str | None) -> Iterator[Page]:
        """Pages of what one request listed, each with its place in the query.

        Args:
            found: the photos.
            total: number of results of the query.
            cursor: the place of the request. A run that is stopped within it begins it again.
            after: the place behind it, None at the end of the query; where the limit is reached the query ends.
        """
        for page, is_last in self.pages(found):
            self.number += 1
            page.query, page.number, page.total, page.cursor = self.columns.query, self.number, total, cursor
            page.next_cursor = None if self.is_full else after if is_last else cursor
            yield page
            if self.is_full:
                return

    def pages(self, found: Sequence[Found]) -> Iterator[tuple[Page, bool]]:
        """Pages, and whether it is the last one: at least one. What needs no request comes with the first.

        When the limit is reached the photos behind it are left out of everything.
        """
        page = Page(rows={"records": [], "record_labels": []})
        todo = iter(self._new(page, found))
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            taken = self._some(todo)
            while True:
                outcomes = pool.map(self._outcome, taken) if self.asks else map(self._outcome, taken)
                for one, outcome in zip(taken, outcomes, strict=True):
                    self._add(page, one, outcome)
                taken = self._some(todo)
                yield page, not taken
                if not taken:
                    return
                page = Page(rows={"records": [], "record_labels": []})

    def _some(self, todo: Iterator[Found]) -> list[Found]:
        together = TOGETHER if self.asks else MAX_PER_PAGE
        return list(islice(todo, together if self.room is None else min(together, max(0, self.room))))

    def _new(self, page: Page, found: Sequence[Found]) -> list[Found]:
        """The photos that are to be described; the others are counted, labelled or rejected."""
        named = [one for one in found if _ID.fullmatch(str(one.photo.get("id")))]
        fresh, page.present = self.known.split([{"source_id": str(one.photo["id"])} for one in named])
        new = {str(row["source_id"]) for row in fresh}
        queued: dict[str, Found] = {}
        for one in found:
            number = str(one.photo.get("id"))
            if not _ID.fullmatch(number):
                self._add(page, _nameless(one), BadItem("no_id", f"listed with the id {number[:50]!r}"))
            elif number not in new:
                self._label(page, one)
            elif number in queued:
                continue  # counted by `split`
            elif self.asks and self._was_rejected(number):
                page.present += 1
            else:
                queued[number] = one
        return list(queued.values())

    def _outcome(self, one: Found) -> Described | BadItem:
        try:
            return self.describe(one.photo)
        except BadItem as bad:
            return bad

    def _was_rejected(self, number: str) -> bool:
        was_rejected = self.known.was_rejected(f"flickr:{number}")
        if was_rejected:
            self._settled.add(number)
            count(self.known.details, REJECTED_EARLIER)
        return was_rejected

    def _add(self, page: Page, one: Found, outcome: Described | BadItem) -> None:
        number = str(one.photo["id"])
        if isinstance(outcome, BadItem):
            # a row without id may come again; where nothing was asked, what earlier runs rejected is found out here
            if number in self._settled or (not self.asks and self._was_rejected(number)):
                page.present += 1
            else:
                page.rejects.append((f"flickr:{number}", outcome))
            self._settled.add(number)
            return
        rights = self.rights(outcome.photo.get("license"))
        row = record(outcome.photo, rights, self.columns.size, outcome.raw)
        page.rows["records"].append({**row, "dataset": self.columns.dataset, "query": self.columns.query})
        self._label(page, one)
        if self.room is not None:
            self.room -= 1

    def _label(self, page: Page, one: Found) -> None:
        number = str(one.photo["id"])
        if number not in self._settled:
            about = {"provider": "flickr", "source_id": number, "task": self.columns.task}
            page.rows["record_labels"] += [{**about, "label": label} for label in dict.fromkeys(one.labels)]
        self._settled.add(number)


def _nameless(one: Found) -> Found:
    """A row without id under a name made of its content."""
    return Found({"id": "?" + hashlib.sha256(compact(one.photo).encode()).hexdigest()[:16]})


def count(details: dict[str, object], what: str, number: int = 1) -> None:
    """Add to a number in the details of a report."""
    before = details.get(what, 0)
    details[what] = (before if isinstance(before, int) else 0) + number
