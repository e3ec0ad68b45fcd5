"""Pages and windows of lists of photos."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import ApiError, SourceError, UsageError
from imagelake.sources.flickr.lists import Listed, PageRange, listed_pages
from imagelake.sources.flickr.windows import ALL_TIME, Window, asked_window, behind, parts, seconds_of


def pool(count: int, *, total: object = None, repeats: bool = False, size: int = 10) -> Callable[[int], dict[str, Any]]:
    """A list of `count` photos, which gives the last page again, or nothing, past its end."""

    def ask(page: int) -> dict[str, Any]:
        last = max(1, -(-count // size))
        first = (min(page, last) if repeats else page) * size - size
        rows = [{"id": str(n)} for n in range(first, min(first + size, count))]
        said = count if total is None else total
        return {"photos": {"photo": rows, "total": said, "pages": -(-int(str(said)) // size)}}

    return ask


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("total", [None, "25", 11, 20, 400])
@pytest.mark.parametrize("count", [0, 1, 20, 25])
def test_a_list_is_read_to_its_end_whatever_it_says(count: int, total: object, repeats: bool) -> None:
    pages = list(listed_pages(pool(count, total=total, repeats=repeats), 1, 100, 10))
    ids = [photo["id"] for page in pages for photo in page.photos]
    assert ids == [str(n) for n in range(count)]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_nothing_is_asked_for_past_the_last_page() -> None:
    asked: list[int] = []

    def ask(page: int) -> dict[str, Any]:
        asked.append(page)
        return pool(1000)(page)

    assert [page.page for page in listed_pages(ask, 3, 5, 10)] == asked == [3, 4, 5]


@pytest.mark.parametrize("reply", [{}, {"photos": []}, {"photos": None}])
def test_a_reply_without_list_is_an_error(reply: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="no list of photos"):
        list(listed_pages(lambda _: reply, 1, 2, 10))


def test_missing_fields_are_survived() -> None:
    replies = {1: {"photos": {"photo": [{"id": "1"}, 7, None]}}, 2: {"photos": {}}}
    assert [page.photos for page in listed_pages(lambda page: replies[page], 1, 9, 2)] == [[{"id": "1"}]]


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 501}, {"start": 0}, {"limit": 0}])
def test_a_page_range_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        PageRange(**wrong)


def test_a_page_range_is_held_against_the_list() -> None:
    listed = Listed(1, [], 24_312, 49, is_last=False)
    details: dict[str, object] = {}
    PageRange(1, 8).check(listed, 8, details)
    assert not details
    PageRange(1, 50).check(listed, 8, details)
    assert details == {"page limit": "pages 1 to 50 asked for, 8 can be read (24,312 photos)"}
    assert PageRange(2, 3).last(8) == 4
    assert PageRange(2, 30).last(8) == 8
    with pytest.raises(SourceError, match="behind the last page, 3"):
        PageRange(4).check(Listed(4, [], 25, 3, is_last=True), 8, details)
    with pytest.raises(SourceError, match="Flickr gives 8 pages"):
        PageRange(9).last(8)


SECONDS = st.integers(0, ALL_TIME.hi - 1)


def leaves(asked: Window, width: int) -> list[Window]:
    """The windows of at most `width` seconds that a search is read in."""
    todo, found = parts(ALL_TIME, asked)[::-1], []
    while todo:
        window = todo.pop()
        clipped = window.within(asked)
        if clipped.hi - clipped.lo > width and window.hi - window.lo > 1:
            todo += parts(window, asked)[::-1]
        else:
            found.append(window)
    return found


@given(st.tuples(SECONDS, SECONDS), st.integers(1 << 20, 1 << 28))
def test_windows_cover_what_is_asked_once_and_a_stopped_search_finds_the_same(
    ends: tuple[int, int], width: int
) -> None:
    asked = asked_window(min(ends), max(ends))
    width = max(width, (asked.hi - asked.lo) // 40)
    windows = leaves(asked, width)
    clipped = [window.within(asked) for window in windows]
    assert clipped[0].lo == asked.lo
    assert clipped[-1].hi == asked.hi
    assert all(one.hi == next_one.lo for one, next_one in pairwise(clipped))
    for k, window in enumerate(windows):
        assert Window.parse(str(window)) == window
        rest = behind(window.hi, asked)
        # what is left to read covers the windows behind this one, and nothing else
        assert [w.within(asked).lo for w in rest][:1] == [w.lo for w in clipped[k + 1 :]][:1]
        assert sum(w.within(asked).hi - w.within(asked).lo for w in rest) == asked.hi - clipped[k].hi


def test_a_second_cannot_be_split() -> None:
    assert parts(Window(5, 6), ALL_TIME) == [Window(5, 6)]
    assert parts(Window(4, 8), Window(5, 6)) == [Window(5, 6)]
    assert parts(Window(4, 8), ALL_TIME) == [Window(4, 6), Window(6, 8)]


def test_dates() -> None:
    assert seconds_of(None) is None
    assert seconds_of("1700000000") == 1_700_000_000
    assert seconds_of("2020-01-01") == 1_577_836_800
    assert seconds_of("2020-01-01", is_end=True) == 1_577_836_800 + 86_399
    assert seconds_of("2020-01-01T01:00:00+01:00", is_end=True) == 1_577_836_800
    with pytest.raises(UsageError, match="no date"):
        seconds_of("yesterday")
    with pytest.raises(UsageError, match="after"):
        asked_window(10, 5)
    assert asked_window(None, None) == ALL_TIME
