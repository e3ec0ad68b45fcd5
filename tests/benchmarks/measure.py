"""How the benchmarks measure: CPU or wall time of two ways of doing the same, in turns, as the median of the ratios."""

import importlib.metadata
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".bench"  # pictures, weights and environments of peers; ignored by git
QUIET_LOAD = 0.7
WAIT_SECONDS = float(os.environ.get("IMAGELAKE_BENCH_WAIT", "60"))


def cpu_seconds() -> float:
    """CPU time, user and system, of this process, its threads, and its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    began = cpu_seconds()
    work()
    return cpu_seconds() - began


def wall_of(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_rss_mib() -> float:
    """The largest resident memory of this process so far, in MiB.

    Not `ru_maxrss`, in which the process that started this one still counts.
    """
    (line,) = (text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def wait_for_quiet() -> float:
    """Wait a while for other work on this machine to end; returns the load."""
    until = time.monotonic() + WAIT_SECONDS
    while (load := os.getloadavg()[0]) > QUIET_LOAD and time.monotonic() < until:
        time.sleep(2)
    return load


def versions(*names: str) -> dict[str, str]:
    """Installed versions."""
    return {name: importlib.metadata.version(name) for name in names}


@dataclass
class Comparison:
    """Pairs of measurements of the same work; a ratio above 1 means that the first took longer.

    Args:
        name: what is compared.
        count: pictures per measurement, for figures per picture.
        unit: what was measured.
    """

    name: str
    count: int = 1
    unit: str = "CPU"
    pairs: list[tuple[float, float]] = field(default_factory=list)

    def rounds(self, number: int, first: Callable[[], float], second: Callable[[], float]) -> "Comparison":
        """Measure in turns A B, B A, ...; both return seconds."""
        for i in range(number):
            if i % 2 == 0:
                a, b = first(), second()
            else:
                b, a = second(), first()
            self.pairs.append((a, b))
        return self

    @property
    def ratios(self) -> list[float]:
        """First by second."""
        return [a / b for a, b in self.pairs]

    def inverse(self) -> "Comparison":
        """The same with the ratio turned round, for throughput."""
        return Comparison(self.name, self.count, self.unit, [(b, a) for a, b in self.pairs])

    @property
    def ratio(self) -> float:
        """The median of the pairs."""
        return statistics.median(self.ratios)

    def report(self, limit: str, used: dict[str, str], **more: object) -> None:
        """Print one line."""
        each = [statistics.median(side) / self.count * 1000 for side in zip(*self.pairs, strict=True)]
        line = {
            "name": self.name,
            "ratio": round(self.ratio, 3),
            "min": round(min(self.ratios), 3),
            "max": round(max(self.ratios), 3),
            "limit": limit,
            "unit": self.unit,
            "ms_each": [round(ms, 3) for ms in each],
            "rounds": len(self.pairs),
            "load": round(os.getloadavg()[0], 2),
            **more,
            "versions": used,
        }
        say(line)


def say(line: dict[str, object]) -> None:
    """Print a result on one line."""
    print("\nBENCH " + ", ".join(f"{k} {v}" for k, v in line.items()), flush=True)
