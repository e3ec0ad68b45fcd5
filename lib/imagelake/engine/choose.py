"""Which engine runs a job."""

import importlib.util
import os

from imagelake.engine import Engine
from imagelake.engine.cluster import RayEngine
from imagelake.engine.local import THREADS_PAY, LocalEngine
from imagelake.errors import UsageError

LOCAL_BELOW = 5000
LEAST_ROWS = 16  # smaller batches cost more in files and commits than the better balance gives
BATCHES_PER_CPU = 8


def choose_engine(name: str, pending: int | None, address: str | None, workers: int | None) -> Engine:
    """The engine for a job.

    Args:
        name: `auto`, `local` or `ray`. `auto` is local below 5,000 pending items, since Ray takes seconds to
            start, and where Ray is not installed.
        pending: items to work on; None when that is not known beforehand.
        address: a Ray cluster to join; chooses Ray under `auto`.
        workers: CPUs to use on this machine; None for all.

    Raises:
        UsageError: no such engine, or an address for the local one.
    """
    if name not in {"auto", "local", "ray"}:
        raise UsageError(f"--engine {name}: choose auto, local or ray")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: give a number of at least 1")
    if name == "local" and address:
        raise UsageError("--address names a Ray cluster: leave out --engine local")
    in_cluster = bool(address or os.environ.get("RAY_ADDRESS"))
    many = pending is not None and pending >= LOCAL_BELOW and importlib.util.find_spec("ray") is not None
    if name == "ray" or (name == "auto" and (in_cluster or many)):
        return RayEngine(address, workers)
    count = workers or len(os.sched_getaffinity(0))
    return LocalEngine(count, processes=count > THREADS_PAY)


def model_device(engine: Engine) -> str | None:
    """Where the engine's models run: what the cluster has, not what this machine has; None for the best here."""
    return engine.device() if isinstance(engine, RayEngine) else None


def batch_rows(engine: Engine, pending: int, most: int) -> int:
    """Rows of a batch: few enough that every CPU gets some batches, at most `most`."""
    if pending <= LEAST_ROWS:
        return LEAST_ROWS
    return max(LEAST_ROWS, min(most, pending // (engine.cpus() * BATCHES_PER_CPU)))
