"""Shared by all tests: a lake, tiny pictures drawn from a seed, one Ray instance, one S3 server for the run."""

import io
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from imagelake.lake.lake import Lake, create_lake

# CI repeats its examples, so that what it says of a change is about the change; every other run draws new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Ray must not write a token into the home directory, and workers must not report anything
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests run in two processes; those that share Ray, or would start it beside each other, run in one of them."""
    for item in items:
        engine = getattr(getattr(item, "callspec", None), "params", {}).get("engine")
        if engine == "ray" or "shared_ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files with known answers."""
    folder = os.environ.get("IMAGELAKE_CORPUS")
    if not folder:
        pytest.skip("IMAGELAKE_CORPUS is not set: the golden files are not here")
    return Path(folder)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return create_lake(str(tmp_path / "lake"))


def picture(seed: int, width: int = 40, height: int = 30) -> Image.Image:
    """A smooth RGB picture, another one for every seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(seed: int, width: int = 40, height: int = 30) -> bytes:
    """The same as JPEG."""
    file = io.BytesIO()
    picture(seed, width, height).save(file, "JPEG", quality=90)
    return file.getvalue()


Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make_pictures() -> Make:
    """Writes `count` JPEGs into folders a, b, c below a new folder."""

    def make(folder: Path, count: int, seed: int = 0, width: int = 40, height: int = 30) -> Path:
        for i in range(count):
            path = folder / "abc"[i % 3] / f"{i:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(seed + i, width, height))
        return folder

    return make


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[None]:
    """One Ray for the whole run: RayEngine joins what this process has joined."""
    from imagelake.engine.cluster import connect

    ray = connect(None, 2)
    yield
    ray.shutdown()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(url + "/moto-api/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
        server.terminate()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new bucket, with the usual AWS variables set: `s3://bucket`."""
    for name, value in s3_variables(s3_server).items():
        monkeypatch.setenv(name, value)
    import boto3

    bucket = f"bucket-{time.time_ns()}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket)
    yield f"s3://{bucket}"
    client.close()


def s3_variables(url: str) -> dict[str, str]:
    """The variables under which boto3, pyarrow and delta-rs all find the server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session")
def imagelake() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a process of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "imagelake.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )

    return run
