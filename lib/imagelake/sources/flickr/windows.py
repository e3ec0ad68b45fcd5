"""Windows of upload time: what a search of more than 4,000 results is split into.

The windows are halves of halves of one fixed stretch of time, so that every run finds the same ones, and a harvest
that was stopped goes on behind the window that it was in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imagelake.errors import UsageError


@dataclass(frozen=True)
class Window:
    """From `lo` up to, not with, `hi`: seconds since 1970, UTC."""

    lo: int
    hi: int

    def __str__(self) -> str:
        return f"{self.lo}-{self.hi}"

    @staticmethod
    def parse(text: str) -> "Window":
        """What `str` made.

        Raises:
            ValueError: it did not.
        """
        lo, hi = text.split("-")
        return Window(int(lo), int(hi))

    def halves(self) -> tuple["Window", "Window"]:
        """The two halves, the earlier one first; of a window of at least two seconds."""
        middle = (self.lo + self.hi) // 2
        return Window(self.lo, middle), Window(middle, self.hi)

    def within(self, other: "Window") -> "Window":
        """The part that lies in another window; empty where `lo >= hi`."""
        return Window(max(self.lo, other.lo), min(self.hi, other.hi))

    @property
    def is_empty(self) -> bool:
        """Whether no second lies in it."""
        return self.lo >= self.hi


# Until 2038: a service may hold times as 32-bit numbers. Its half of its half begins in the month before Flickr did.
ALL_TIME = Window(0, 1 << 31)


def seconds_of(text: str | None, *, is_end: bool = False) -> int | None:
    """Seconds since 1970 of a time as people write it: seconds, or a date with or without time (ISO 8601, else UTC).

    Args:
        text: the time; None for none.
        is_end: whether a date without time means its last second.

    Raises:
        UsageError: it is no time.
    """
    if text is None or text.strip().isdecimal():
        return int(text) if text else None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is no date, time or number of seconds since 1970") from error
    if is_end and len(text.strip()) <= len("2024-01-31"):
        moment += timedelta(days=1, seconds=-1)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def asked_window(earliest: int | None, latest: int | None) -> Window:
    """The window of --min-upload-date and --max-upload-date, both included.

    Raises:
        UsageError: it is empty.
    """
    window = Window(earliest or 0, ALL_TIME.hi if latest is None else latest + 1).within(ALL_TIME)
    if window.is_empty:
        raise UsageError("--min-upload-date is after --max-upload-date")
    return window


def parts(window: Window, asked: Window) -> list[Window]:
    """What a window with too many results is read in instead, earliest first; itself where it cannot be split.

    A half without a second in `asked` is left out, and the other one is halved again: it would give the same.
    """
    while window.hi - window.lo > 1:
        halves = [half for half in window.halves() if not half.within(asked).is_empty]
        if len(halves) == 2:
            return halves
        window = halves[0]
    return [window]


def behind(moment: int, asked: Window) -> list[Window]:
    """What is left to be read of all time from a moment where a window begins, earliest first."""
    return [window for window in _behind(moment, ALL_TIME) if not window.within(asked).is_empty]


def _behind(moment: int, window: Window) -> Iterator[Window]:
    if moment <= window.lo:
        yield window
    elif moment < window.hi:
        for half in window.halves():
            yield from _behind(moment, half)
