"""Work on a picture strip by strip.

What is at work then stays in the processor's cache and in memory that the process has already: a fresh page costs as
much as a filter over its pixels, and an allocator gives megabytes back as soon as they are free.
"""

from collections.abc import Iterator, Sequence

ROWS = 192  # larger strips leave the cache, smaller ones cost threads a race for the interpreter at every step


def strips(starts: Sequence[int], height: int, reach: int = 0) -> Iterator[tuple[slice, slice]]:
    """Cut rows into strips that overlap.

    Args:
        starts: the first row of each strip, ascending from 0.
        height: number of all rows.
        reach: rows needed beyond each end of a strip, as far as there are any.

    Yields:
        The rows to work on, and which of the results are the strip's own.
    """
    for start, end in zip(starts, [*starts[1:], height], strict=True):
        first, last = max(0, start - reach), min(height, end + reach)
        yield slice(first, last), slice(start - first, end - first)
