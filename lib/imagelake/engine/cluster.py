"""The Ray engine: the same stages on Ray Data, CPU stages as tasks, model stages in actor pools.

A batch crosses the object store as one row with one binary column, so that Ray never splits or joins batches.
"""

import logging
import os
import pickle
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from typing import Any

import pyarrow as pa

from imagelake.engine import Batch, Head, Stage, Step, chain
from imagelake.engine.parts import Parts
from imagelake.errors import EngineError

WAVE = 4096  # batches handed to Ray at once: bounds the driver's memory
COLUMN = "batch"
TASK_CPUS = 0.5  # two tasks per processor: one works while Ray takes 40 ms to hand over the next
PROBE_SECONDS = 10.0


@dataclass(frozen=True)
class RayEngine:
    """Runs stages on Ray.

    Args:
        address: an existing cluster (`auto`, `host:port`, `ray://...`); None joins the cluster of the surrounding
            Ray job, or starts one on this machine.
        workers: CPUs of a cluster that is started here; None for all.
    """

    address: str | None = None
    workers: int | None = None
    name: str = "ray"

    def cpus(self) -> int:
        """CPUs of the cluster, which is joined or started for it."""
        ray = connect(self.address, self.workers)
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(self, batches: Iterable[Batch], stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run wave by wave; results come while the pipeline runs."""
        ray = connect(self.address, self.workers)
        groups = [(pool, ray.put(list(group))) for pool, group in groupby(stages, key=lambda s: s.pool)]
        source = iter(batches)
        while wave := [_encode(batch) for batch in islice(source, WAVE)]:
            dataset = ray.data.from_arrow(wave)
            for pool, reference in groups:
                dataset = _mapped(ray, dataset, pool, reference)
            rows = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
            for table in rows:
                yield from map(_decode, table[COLUMN])

    def stream(self, batches: Iterable[Batch], head: Head, stages: Sequence[Stage]) -> Iterator[Batch]:
        """Run parts of the head and the stages behind it in actors of two CPUs each."""
        ray = connect(self.address, self.workers)
        with Parts(ray, head, stages, self.cpus()) as parts:
            yield from parts.run(iter(batches))

    def device(self) -> str | None:
        """`cuda` or `cpu`, by what a cluster that is joined has; None for a cluster of this machine."""
        if not (self.address or os.environ.get("RAY_ADDRESS")):
            return None
        return "cuda" if connect(self.address, self.workers).cluster_resources().get("GPU") else "cpu"


def connect(address: str | None, workers: int | None) -> Any:
    """Import Ray and join or start a cluster; harmless when this process has joined one.

    Raises:
        EngineError: Ray is not installed, or the cluster cannot be reached or refuses the token.
    """
    joins = address or os.environ.get("RAY_ADDRESS")
    if joins and not _has_joined():
        _probe(joins)
    if not joins and "ray" not in sys.modules and os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        # A token for this cluster only, never written to disk: other users of the machine cannot send it work.
        # Ray reads both variables when it is imported: set later, the cluster would ask for a token that this
        # process does not send.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray  # noqa: PLC0415 (seconds to import)
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise EngineError("the ray engine needs `pip install imagelake[ray]`") from error
    if not ray.is_initialized():
        options: dict[str, Any] = {"address": address} if joins else _own_cluster(workers)
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            where = joins or "on this machine"
            text = str(error).strip().partition("\n")[0][:300]
            raise EngineError(f"cannot use the Ray cluster {where}: {text}") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # progress is shown by us
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray


def _has_joined() -> bool:
    """Whether this process is in a cluster, asked without the seconds that importing Ray takes."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _probe(address: str) -> None:
    """Ray waits for minutes for a head that is not there: ask first whether anybody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # auto, local
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except OSError as error:
        raise EngineError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


def _own_cluster(workers: int | None) -> dict[str, Any]:
    return {"address": "local", "num_cpus": workers or len(os.sched_getaffinity(0)), "include_dashboard": False}


def _mapped(ray: Any, dataset: Any, pool: str, reference: Any) -> Any:
    if pool == "cpu":
        return dataset.map_batches(
            _run_task, batch_size=1, batch_format="pyarrow", fn_args=[_Held(reference)], num_cpus=TASK_CPUS
        )
    gpus = int(ray.cluster_resources().get("GPU", 0))
    nodes = [int(n["Resources"]["CPU"]) for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")] or [1]
    # Without GPUs a model takes half the processors of a machine (Ray gives it as many threads) and leaves the others
    # to the stages that feed it; on a single processor it must not hold any, or nothing would ever feed it.
    share: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": min(nodes) // 2}
    return dataset.map_batches(
        _ModelActor,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=[_Held(reference)],
        compute=ray.data.ActorPoolStrategy(size=gpus or len(nodes)),
        **share,
    )


@dataclass(frozen=True)
class _Held:
    """An object reference that Ray must not resolve by itself: workers fetch it once, not once per task."""

    reference: Any


@lru_cache(maxsize=8)
def _opened(held: _Held) -> tuple[Step, ...]:
    import ray  # noqa: PLC0415

    return tuple(stage.open() for stage in ray.get(held.reference))


def _run_task(table: pa.Table, held: _Held) -> Iterator[pa.Table]:
    for row in table[COLUMN]:
        for result in chain(_opened(held), _decode(row)):
            yield _encode(result)


class _ModelActor:
    def __init__(self, held: _Held) -> None:
        self._held = held

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        yield from _run_task(table, self._held)


def _encode(batch: Batch) -> pa.Table:
    return pa.table({COLUMN: pa.array([pickle.dumps(batch, protocol=5)], pa.large_binary())})


def _decode(row: Any) -> Batch:
    batch: Batch = pickle.loads(row.as_buffer())  # noqa: S301 (our own batch)
    return batch
