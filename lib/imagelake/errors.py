"""What can go wrong, and the exit code of each.

Two kinds are told apart here; everything else is a bug and keeps its traceback::

    BadItem                      one picture or file is bad: becomes a row in `failures`, never stops a job
    ImagelakeError          (1)  an operator's mistake: one line that says what to do, then this exit code
    ├── UsageError          (2)  wrong options or arguments
    ├── LakeNotFound        (3)  the lake or a table of it does not exist, or cannot be opened
    ├── SourceError         (4)  a source of pictures cannot be read at all
    ├── ModelUnavailable    (5)  weights or an optional package are missing
    ├── QueryError          (6)  a SQL statement is wrong
    ├── ChecksFailed        (7)  `imagelake check` found offending rows
    ├── CommitConflict      (8)  another writer kept winning; nothing is lost, run again
    ├── EngineError         (9)  Ray is missing, unreachable or refused the token; a worker died
    ├── StorageError       (10)  the storage refused or lost the connection
    └── ApiError           (11)  a provider's API refused: key, quota, query; or it does not answer
    Interrupted           (130)  Ctrl-C: what was finished is committed

Exceptions carry one message, so that they survive pickling between processes.
"""

from typing import Any


class ImagelakeError(Exception):
    """An operator's mistake, shown as one line."""

    exit_code = 1


class UsageError(ImagelakeError):
    """Wrong options or arguments."""

    exit_code = 2


class LakeNotFound(ImagelakeError):
    """The lake, or a table of it, does not exist or cannot be opened."""

    exit_code = 3


class SourceError(ImagelakeError):
    """A source of pictures cannot be read at all."""

    exit_code = 4


class ModelUnavailable(ImagelakeError):
    """Weights, or the optional package that a model needs, are missing."""

    exit_code = 5


class QueryError(ImagelakeError):
    """A SQL statement cannot be run."""

    exit_code = 6


class ChecksFailed(ImagelakeError):
    """A check of the lake found offending rows."""

    exit_code = 7


class CommitConflict(ImagelakeError):
    """Other writers kept winning the race for a commit."""

    exit_code = 8


class EngineError(ImagelakeError):
    """The engine cannot run: Ray is missing or unreachable, or a worker process died."""

    exit_code = 9


class StorageError(ImagelakeError):
    """The storage refused a request or lost the connection."""

    exit_code = 10


class ApiError(ImagelakeError):
    """A provider's API refused a request (key, quota, query) or does not answer.

    `status` is that of HTTP, `reply` the JSON that came with it; None where there is none.
    """

    exit_code = 11
    status: int | None = None
    reply: Any = None


class Interrupted(ImagelakeError):
    """The user stopped the run; what was finished is committed."""

    exit_code = 130


class BadItem(Exception):
    """One item is bad: `reason` is a short snake_case code for grouping, `message` says what was seen."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
