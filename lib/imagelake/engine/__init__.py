"""How a stream of batches runs: in this process and its children, or on a Ray cluster; one interface.

A batch is a dictionary of Arrow tables by name. A stage is picklable and says by `pool` where it runs: "cpu" beside
many others, "model" once per accelerator (or once, on a machine without). `open()` makes what is too heavy to
pickle and returns the function that turns one batch into some.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import pyarrow as pa

Batch = dict[str, pa.Table]
Step = Callable[[Batch], Iterable[Batch]]


class Stage(Protocol):
    """One step of a pipeline."""

    @property
    def pool(self) -> Literal["cpu", "model"]:
        """Where the stage runs."""

    def open(self) -> Step:
        """Prepare the stage on the worker."""


class Stream(Protocol):
    """A head at work. It may be called again when a stream has ended, and remembers what it has learnt."""

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Turn a stream of batches into another.

        An empty dictionary in the input says that nothing came for a while, one in the output that nothing is
        ready yet. A table `_again` in the output is work that belongs to another part.
        """

    def close(self) -> None:
        """Let go of everything."""


class Head(Protocol):
    """A first step that works on many batches at a time, such as fetching: where it runs, it sees the whole stream.

    On a cluster there are several; each gets its own part of the work.
    """

    def split(self, batch: Batch, parts: int) -> list[Batch]:
        """The batch's items by the part that they belong to; a part without items has an empty dictionary."""

    def open(self, part: int, parts: int) -> "Stream":
        """Prepare part `part` of `parts`."""


class Engine(Protocol):
    """Runs the stages over batches and yields what the last stage gives, in any order."""

    @property
    def name(self) -> str:
        """`local` or `ray`."""

    def cpus(self) -> int:
        """Batches of CPU stages worked on at the same time."""

    def run(self, batches: Iterable[Batch], stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run to the end; closing the iterator stops the workers."""

    def stream(self, batches: Iterable[Batch], head: Head, stages: Sequence[Stage]) -> Iterator[Batch]:
        """The same behind a head."""


def chain(steps: Sequence[Step], batch: Batch) -> Iterator[Batch]:
    """Send a batch through opened stages, one after the other."""
    if not steps:
        yield batch
        return
    for result in steps[0](batch):
        yield from chain(steps[1:], result)
