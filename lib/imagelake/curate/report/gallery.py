"""Galleries of the report: statements `sql/reports/gallery_*` in, pages of HTML and one file per thumbnail out.

A statement gives rows (entry, heading, place, image_id, note): entries are numbered from 1 in the order of the gallery,
and an entry has its pictures in the order of `place`. Thumbnails are written in one pass over their table, in any
order; pages while their rows come. So memory holds one page, and of thumbnails what the session is bound to.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelake.curate.report.figures import human_bytes, name_of
from imagelake.errors import StorageError
from imagelake.lake.pending import bound
from imagelake.lake.session import Session, sql_files

GALLERIES = ("duplicates", "outliers", "label_issues", "worst", "best")
PER_PAGE = 100
_ROWS = 1_000
_FOLDER = "galleries"
_THUMBNAILS = "thumbnails"
_PAGE = re.compile(rf"({'|'.join(GALLERIES)})-\d{{4,}}\.html")
_THUMBNAIL = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.jpg")

_SHOWN = """
create or replace temp table shown (
  gallery varchar, entry bigint, heading varchar, place integer, image_id varchar, note varchar
)
"""
_JPEGS = "select t.image_id, t.jpeg from thumbnails as t semi join shown as s on t.image_id = s.image_id"
_PICTURES = """
with places as (
  select p.image_id, min(p.origin) as origin
  from sightings as p
  semi join shown as s on p.image_id = s.image_id
  group by p.image_id
)
select
  s.entry, s.heading, s.image_id, s.note, p.origin, i.format, i.width_px, i.height_px, i.length_bytes,
  t.width_px as thumbnail_width_px, t.height_px as thumbnail_height_px
from shown as s
left join images as i on s.image_id = i.image_id
left join places as p on s.image_id = p.image_id
left join thumbnails as t on s.image_id = t.image_id
where s.gallery = $gallery
order by s.entry, s.place
"""


@dataclass(frozen=True)
class Gallery:
    """One gallery: `entries` are groups (layout rows) or single pictures (layout grid)."""

    name: str
    title: str
    layout: str
    entries: int
    images: int

    @property
    def pages(self) -> int:
        """Number of pages."""
        return -(-self.entries // PER_PAGE)

    def page(self, number: int) -> str:
        """File name of a page, from 1."""
        return f"{self.name}-{number:04d}.html"

    @property
    def first(self) -> str:
        """Path of the first page from the index."""
        return f"{_FOLDER}/{self.page(1)}"

    @property
    def size(self) -> str:
        """How much it is, in words."""
        groups = f"{self.entries:,} groups, " if self.name == "duplicates" else ""
        return f"{groups}{self.images:,} image{'' if self.images == 1 else 's'}"

    def near(self, number: int) -> list[int | None]:
        """Pages to link to: the first, the last and those around; None where some are left out."""
        wanted = sorted({1, self.pages, *range(max(1, number - 2), min(self.pages, number + 2) + 1)})
        links: list[int | None] = []
        for page in wanted:
            if links and page != links[-1] + 1:  # type: ignore[operator]  # a number was put there last
                links.append(None)
            links.append(page)
        return links


@dataclass(frozen=True)
class Picture:
    """One picture of an entry; `source` is the thumbnail's path from the page, None without one."""

    note: str
    name: str
    origin: str
    facts: str
    source: str | None
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Entry:
    """One group, or one picture."""

    number: int
    heading: str
    pictures: list[Picture]


Render = Callable[..., str]


def write_galleries(session: Session, folder: Path, limit: int, render: Render) -> list[Gallery]:
    """Write `galleries/` and `thumbnails/` below a folder; pages and thumbnails of earlier runs go.

    Args:
        session: the lake.
        folder: the report's folder.
        limit: entries per gallery at most; 0 for no galleries.
        render: makes a page of gallery, galleries, number and entries.

    Returns:
        The galleries that have something to show.

    Raises:
        StorageError: the folder cannot be written.
    """
    bound(session)
    galleries = _choose(session, limit)
    try:
        kept = _write_thumbnails(session, folder / _THUMBNAILS)
        pages = set()
        for gallery in galleries:
            for number, entries in _pages(session, gallery):
                page = folder / _FOLDER / gallery.page(number)
                page.parent.mkdir(exist_ok=True)
                text = render(gallery=gallery, galleries=galleries, number=number, entries=entries)
                page.write_bytes(text.encode(errors="replace"))
                pages.add(page.name)
        _remove_others(folder / _FOLDER, _PAGE, pages)
        _remove_others(folder / _THUMBNAILS, _THUMBNAIL, kept)
    except OSError as error:
        raise StorageError(f"{error.filename or folder}: {error.strerror or error}") from error
    return galleries


def _choose(session: Session, limit: int) -> list[Gallery]:
    """Fill the table `shown`; the galleries that have rows."""
    session.execute(_SHOWN)
    galleries = []
    for name in GALLERIES if limit else ():
        text = sql_files("reports")[f"gallery_{name}"]
        header = dict(re.findall(r"^-- (title|layout): (.+)$", text, re.MULTILINE))
        session.execute(
            f"insert into shown select $gallery, entry, heading, place, image_id, note from (\n{text}\n) as g "
            "where entry <= $most",
            {"gallery": name, "most": limit},
        )
        counts = "select coalesce(max(entry), 0), count(distinct image_id) from shown where gallery = $gallery"
        [(entries, images)] = session.execute(counts, {"gallery": name}).fetchall()
        if entries:
            galleries.append(Gallery(name, header["title"], header["layout"], entries, images))
    return galleries


def _write_thumbnails(session: Session, folder: Path) -> set[str]:
    """Write each thumbnail once; their paths below the folder."""
    written = set()
    for batch in session.batches(_JPEGS, rows=_ROWS):
        for image_id, jpeg in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            path = folder / image_id[:2] / f"{image_id}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
            written.add(f"{image_id[:2]}/{image_id}.jpg")
    return written


def _pages(session: Session, gallery: Gallery) -> Iterator[tuple[int, list[Entry]]]:
    """Number and entries of each page, one page at a time."""
    batches = session.batches(_PICTURES, {"gallery": gallery.name}, _ROWS)
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
    entries = (
        Entry(number, pictures[0]["heading"], [_picture(row) for row in pictures])
        for number, group in itertools.groupby(rows, lambda row: int(row["entry"]))
        for pictures in [list(group)]
    )
    for page, some in itertools.groupby(entries, lambda entry: (entry.number - 1) // PER_PAGE):
        yield page + 1, list(some)


def _picture(row: dict[str, Any]) -> Picture:
    image_id, has_image = row["image_id"], row["format"] is not None
    size = f"{row['width_px']} \N{MULTIPLICATION SIGN} {row['height_px']} px, " if has_image else ""
    has_thumbnail = row["thumbnail_width_px"] is not None
    return Picture(
        note=row["note"] or "",
        name=name_of(row["origin"]) if row["origin"] else image_id[:12],
        origin=row["origin"] or image_id,
        facts=f"{size}{human_bytes(row['length_bytes'])}, {row['format']}" if has_image else "not in the lake",
        source=f"../{_THUMBNAILS}/{image_id[:2]}/{image_id}.jpg" if has_thumbnail else None,
        width_px=row["thumbnail_width_px"] or 0,
        height_px=row["thumbnail_height_px"] or 0,
    )


def _remove_others(folder: Path, ours: re.Pattern[str], kept: set[str]) -> None:
    """Remove what an earlier report wrote and this one did not; nothing else."""
    for path in list(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if ours.fullmatch(name) and name not in kept:
            path.unlink()
    for path in [*folder.glob("[0-9a-f][0-9a-f]"), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
