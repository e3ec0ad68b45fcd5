"""fastdup as another program: vectors or thumbnails in, its pairs out, without telemetry and without traces.

fastdup pins old versions of what imagelake uses, so it has an environment and an interpreter of its own. It gets a
folder that is its home and working directory and goes away afterwards, and nothing of our environment.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from imagelake.curate.duplicates.pictures import Indices, Layer, Near
from imagelake.errors import EngineError, ModelUnavailable, UsageError
from imagelake.lake.session import Session

PYTHON = ".fastdup/bin/python"
_INSTEAD = "`imagelake dedupe` needs no fastdup and is faster"
_RUNNER = "runner.py"
_NUMBERS = ("index", "from", "to", "component_id")
_TYPES = {**dict.fromkeys(_NUMBERS, pa.int64()), "distance": pa.float64(), "filename": pa.string()}
# It reports to its makers unless the first is set, and asks for its newest version unless the second is.
_SETTINGS = {"SENTRY_OPT_OUT": "1", "FASTDUP_PRODUCTION": "1"}


@dataclass(frozen=True)
class Found:
    """What fastdup found.

    Attributes:
        version: of fastdup.
        names: the image_ids that it has read.
        first: (n,) place in `names`, of each pair once.
        second: (n,) place in `names`, greater than `first`.
        similarity: (n,) cosine.
        told: numbers for the report.
    """

    version: str
    names: list[str]
    first: Indices
    second: Indices
    similarity: NDArray[np.float64]
    told: dict[str, object]


@dataclass
class Scratch:
    """The folder that fastdup sees.

    Args:
        folder: its place.
        names: image_ids, in the order of the vectors.
        vectors: file with the vectors; None for pictures in the folder `images`.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    vectors: Path | None = None

    def put_vectors(self, image_ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Write vectors, float32 (n, d)."""
        self.names, self.vectors = list(image_ids), self.folder / "vectors.npy"
        np.save(self.vectors, np.ascontiguousarray(vectors, np.float32))

    def put_thumbnails(self, session: Session) -> None:
        """Write every thumbnail of the lake as a file.

        Raises:
            UsageError: there are none.
        """
        folder = self.folder / "images"
        folder.mkdir()
        for batch in session.batches("select image_id, jpeg from thumbnails order by image_id", rows=256):
            for image_id, data in zip(batch["image_id"].to_pylist(), batch["jpeg"].to_pylist(), strict=True):
                (folder / f"{image_id}.jpg").write_bytes(data)
                self.names.append(image_id)
        if not self.names:
            raise UsageError("the lake has no thumbnails: run `imagelake extract`")


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A folder for fastdup that goes away."""
    with TemporaryDirectory(prefix="imagelake-fastdup-") as folder:
        yield Scratch(Path(folder))


def run_fastdup(given: Scratch, python: str, k: int, min_similarity: float) -> Found:
    """Run fastdup to its end.

    Args:
        given: what to compare.
        python: the interpreter that has fastdup.
        k: neighbours to look at of each picture.
        min_similarity: least cosine of a pair.

    Raises:
        UsageError: fewer than two pictures.
        ModelUnavailable: fastdup is not there, or its wheel has expired.
        EngineError: it failed in another way.
    """
    if len(given.names) < 2:
        raise UsageError("fastdup needs at least two pictures to compare")
    job = {
        "names": [f"/{name}.jpg" for name in given.names],
        "vectors": str(given.vectors) if given.vectors else None,
        "images": str(given.folder / "images"),
        "k": k,
        "threshold": min_similarity,
        "threads": len(os.sched_getaffinity(0)),
    }
    (given.folder / "job.json").write_text(json.dumps(job))
    runner = given.folder / _RUNNER  # not beside our modules, which it must not see
    runner.write_bytes(resources.files("imagelake.curate.fastdup").joinpath(_RUNNER).read_bytes())
    own = {name: str(given.folder) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR")}
    interpreter = shutil.which(python)
    if interpreter is None:
        raise ModelUnavailable(_missing(python))
    done = subprocess.run(
        [os.path.abspath(interpreter), "-I", str(runner), "job.json"],  # noqa: PTH100 (a link stays: it is the environment)
        cwd=given.folder,
        env={"PATH": os.defpath, **own, **_SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode or not (given.folder / "version.txt").exists():
        raise _failure(python, done.returncode, output)
    return _parsed(given)


def _missing(python: str) -> str:
    return f"fastdup is not installed for {python}: `make fastdup`, or give --python PATH; {_INSTEAD}"


def _failure(python: str, code: int, output: str) -> Exception:
    """What to tell of a run that did not succeed."""
    if "No module named 'fastdup'" in output:
        return ModelUnavailable(_missing(python))
    if "fastdup version is deprecated" in output:
        text = f"the fastdup of {python} has expired, as each of its releases does after about 120 days"
        return ModelUnavailable(f"{text}: put a newer one into requirements-fastdup.lock, `make fastdup`; {_INSTEAD}")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    fatal = [line for line in lines if "[FATAL]" in line] or lines[-1:] or ["it said nothing"]
    return EngineError(f"fastdup failed (exit code {code}): {fatal[0][:300]}; {_INSTEAD}")


def _parsed(given: Scratch) -> Found:
    """Its CSV files; pictures are numbered by their lines in atrain_features.dat.csv, with gaps for the unreadable."""
    work = given.folder / "work"
    try:
        features = _csv(work / "atrain_features.dat.csv")
        pairs = _csv(work / "similarity.csv")
        numbers = features["index"].to_numpy()
        names = [Path(name).stem for name in features["filename"].to_pylist()]
        place = np.full(int(numbers.max(initial=-1)) + 1, -1, np.int64)
        place[numbers] = np.arange(len(names))
        first, second = place[pairs["from"].to_numpy()], place[pairs["to"].to_numpy()]
        similarity = pairs["distance"].to_numpy().astype(np.float64).clip(-1, 1)
        components = _csv(work / "connected_components.csv")["component_id"].to_numpy()
        outliers = _csv(work / "outliers.csv")["from"].to_numpy()
    except (OSError, KeyError, IndexError, ValueError, pa.ArrowInvalid) as error:
        raise EngineError(f"fastdup wrote something else than expected: {error}; {_INSTEAD}") from error
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((-similarity, high, low))
    order = order[low[order] != high[order]]
    keys = low[order] * len(names) + high[order]
    order = order[np.r_[True, keys[1:] != keys[:-1]]] if len(keys) else order
    sizes = np.unique(components, return_counts=True)[1]
    told: dict[str, object] = {
        "fastdup": (given.folder / "version.txt").read_text(),
        "its components": f"{(sizes > 1).sum():,}, the largest with {sizes.max(initial=0):,} pictures"
        if (sizes > 1).any()
        else "none",
        "its outliers": f"{len(np.unique(outliers)):,}",
    }
    if missing := len(given.names) - len(names):
        told["pictures that it could not read"] = f"{missing:,}"
    return Found(str(told["fastdup"]), names, low[order], high[order], similarity[order], told)


def _csv(path: Path) -> pa.Table:
    """A file of fastdup; one without rows has the same types."""
    return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=_TYPES))


def fastdup_layer(found: Found, image_ids: pa.StringArray, model_id: str, min_similarity: float) -> Layer:
    """The pairs as a layer over all pictures of the lake, in the order in which they are worth keeping.

    Args:
        found: what fastdup found.
        image_ids: all pictures, the best first; those that fastdup did not see are not compared.
        model_id: what was compared.
        min_similarity: least cosine.
    """
    count = len(image_ids)
    number = pc.index_in(pa.array(found.names, pa.string()), value_set=image_ids)
    known = number.fill_null(-1).to_numpy().astype(np.int64)
    item = np.full(count, -1, np.int64)
    item[known[known >= 0]] = known[known >= 0]
    a, b = known[found.first], known[found.second]
    kept = (a >= 0) & (b >= 0) & (found.similarity >= min_similarity)
    low, high = np.minimum(a, b)[kept], np.maximum(a, b)[kept]
    order = np.lexsort((high, low))
    low, high, distance = low[order], high[order], 1 - found.similarity[kept][order]
    keys = low * count + high

    def compare(one: Indices, other: Indices) -> NDArray[np.float64]:
        asked = np.minimum(one, other) * count + np.maximum(one, other)
        places = np.searchsorted(keys, asked).clip(max=max(len(keys) - 1, 0))
        return np.where(keys[places] == asked, distance[places], np.inf) if len(keys) else np.full(len(asked), np.inf)

    return Layer("fastdup", model_id, 1 - min_similarity, item, Near(low, high, distance), compare)
