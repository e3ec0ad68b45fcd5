"""What happens to an entry of a source that is no file to read: it is reported, and the listing goes on."""

import logging
from collections.abc import Callable

from imagelake.errors import BadItem
from imagelake.lake.digests import Digests

Reject = Callable[[str, BadItem], None]
_LOG = logging.getLogger(__name__)


def log_reject(origin: str, bad: BadItem) -> None:
    """Log one rejected entry: what `list_files` does when its caller collects none."""
    _LOG.warning("%s: %s: %s", origin, bad.reason, bad.message)


def reason_of(error: Exception) -> str:
    """`missing` or `unreadable`."""
    return "missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "unreadable"


def refuse_forgotten(image_id: str, forgotten: Digests) -> None:
    """Keep out what `imagelake forget` has taken out, wherever it comes from now.

    Raises:
        BadItem: it was taken out.
    """
    if image_id in forgotten:
        raise BadItem("forgotten", "was taken out of the lake for good: see table forgotten")
