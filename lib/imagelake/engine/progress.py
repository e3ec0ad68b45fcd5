"""Progress on standard error: a bar in a terminal, a plain line every few seconds otherwise."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

LINE_SECONDS = 10.0


class Progress:
    """Shows items, rate, failures and remaining time.

    Args:
        job: what is running.
        total: items expected; None when that is not known.
        quiet: show nothing.
    """

    def __init__(self, job: str, total: int | None, *, quiet: bool = False) -> None:
        self._job = job
        self._total = total
        self._quiet = quiet
        self._items = self._failures = 0
        self._began = self._said_at = time.monotonic()
        terminal = sys.stderr.isatty() and not quiet
        self._bar = tqdm(total=total, desc=job, unit="img", file=sys.stderr, dynamic_ncols=True) if terminal else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, items: int, failures: int) -> None:
        """Report totals so far."""
        done, self._items, self._failures = items - self._items, items, failures
        if self._bar is not None:
            self._bar.set_postfix(failures=failures, refresh=False)
            self._bar.update(done)
        elif not self._quiet and time.monotonic() - self._said_at > LINE_SECONDS:
            self._said_at = time.monotonic()
            sys.stderr.write(self._line() + "\n")
            sys.stderr.flush()

    def _line(self) -> str:
        rate = self._items / max(time.monotonic() - self._began, 1e-6)
        of = "" if self._total is None else f" of {self._total:,}"
        left = "" if not self._total or not rate else f", about {max(0, self._total - self._items) / rate:,.0f} s left"
        return f"{self._job}: {self._items:,}{of} items, {rate:,.1f}/s, {self._failures:,} failures{left}"
