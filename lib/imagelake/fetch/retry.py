"""When to ask again: which failures are worth another attempt, how long to wait, and what the server asked for."""

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Failures that may pass: of the network, of a server under load, and of the answers 408, 425, 429, 500, 502 to 504.
RETRIED = frozenset(
    {
        "timeout",
        "reset",
        "truncated",
        "dns",
        "connect",
        "robots_unreachable",
        *(f"http_{status}" for status in (408, 425, 429, 500, 502, 503, 504)),
    }
)
_LONGEST_S = 1e9  # thirty years: whoever asks for more means never, and a finite number can be stored
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def retry_after_s(value: str, now: datetime) -> float | None:
    """The wait that a server asks for with `Retry-After` (RFC 9110, section 10.2.3).

    Args:
        value: the header's value: seconds (a fraction is not in the RFC but is sent) or a date in one of the three
            forms of RFC 9110, section 5.6.7.
        now: the time, aware of its zone.

    Returns:
        Seconds to wait, 0 for a date that has passed, None for a value that is neither.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_S)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:  # the form of C's asctime names no zone: it is GMT
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def backoff_s(attempt: int, rng: random.Random, base_s: float = 1.0, cap_s: float = 60.0) -> float:
    """A random wait before the next attempt, up to a bound that doubles each time.

    "Full jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Clients that failed
    together do not come back together.

    Args:
        attempt: number of the attempt that failed, from 1.
        rng: where the chance comes from.
        base_s: bound of the first wait, in seconds.
        cap_s: largest bound, in seconds.
    """
    return rng.uniform(0.0, min(cap_s, base_s * 2 ** min(attempt - 1, 62)))
