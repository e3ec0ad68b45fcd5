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


class Engine(Protocol):
    """Runs the stages over batches and yields what the last stage gives, in any order."""

    @property
    def name(self) -> str:
        """`local` or `ray`."""

    def cpus(self) -> int:
        """Batches of CPU stages worked on at the same time."""

    def run(self, batches: Iterable[Batch], stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run to the end; closing the iterator stops the workers."""


def chain(steps: Sequence[Step], batch: Batch) -> Iterator[Batch]:
    """Send a batch through opened stages, one after the other."""
    if not steps:
        yield batch
        return
    for result in steps[0](batch):
        yield from chain(steps[1:], result)
