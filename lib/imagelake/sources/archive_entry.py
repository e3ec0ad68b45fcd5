"""One member as the reader of a container sees it, before anything is known about its content."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imagelake.errors import BadItem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of one container.

    Attributes:
        name: as stored in the container, decoded, otherwise untouched.
        size_bytes: the size that the container declares (0 where it declares none). Not to be trusted.
        modified_at: UTC, or None where the container has no usable time.
        fault: why the member has no bytes, or None.
        open_chunks: starts the one reading of its bytes, in order, each chunk of at most a few MiB; valid until the
            next entry is asked for. Raises `MemberFault` when this member is bad.
    """

    name: str
    size_bytes: int
    modified_at: datetime | None
    fault: BadItem | None
    open_chunks: Callable[[], Iterator[bytes]]


def no_chunks() -> Iterator[bytes]:
    """The bytes of a member that cannot be read."""
    return iter(())


def utc_from_seconds(seconds: float) -> datetime | None:
    """The time that many seconds after 1970 in UTC, or None when it is no date (before year 1, after 9999, nan)."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
