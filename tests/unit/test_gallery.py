"""Which pages of a gallery a page links to."""

import pytest

from imagelake.curate.report.gallery import PER_PAGE, Gallery


@pytest.mark.parametrize(
    ("pages", "number", "links"),
    [
        (1, 1, [1]),
        (3, 2, [1, 2, 3]),
        (9, 1, [1, 2, 3, None, 9]),
        (9, 5, [1, None, 3, 4, 5, 6, 7, None, 9]),
        (9, 9, [1, None, 7, 8, 9]),
    ],
)
def test_page_numbers(pages: int, number: int, links: list[int | None]) -> None:
    assert Gallery("worst", "", "grid", PER_PAGE * pages, 0).near(number) == links
