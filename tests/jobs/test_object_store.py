"""A lake in an object store, and jobs submitted to a cluster that asks for a token."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagelake.jobs import check, extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.conftest import free_port, jpeg, s3_variables
from tests.jobs.same import bytes_of, contents, versions

TOKEN = "a-token-of-the-test-that-is-long-enough-0123456789"


def main_job(lake: Lake, *sources: str) -> None:
    ingest.run(ingest.Config(sources, lake.root, labels_from_folders="folder", quiet=True), lake)
    extract.run(extract.Config(lake.root, embed=("descriptor",), quiet=True), lake)


@pytest.fixture
def photos(tmp_path: Path, make_pictures: Callable[..., Path]) -> Path:
    made = make_pictures(tmp_path / "photos", 20)
    (made / "twice.jpg").write_bytes(jpeg(4))
    (made / "broken.jpg").write_bytes(jpeg(50)[:-60])
    (made / "empty.jpg").write_bytes(b"")
    return made


def test_main_job_in_s3_equals_the_local_one_row_by_row(lake: Lake, s3: str, photos: Path, tmp_path: Path) -> None:
    main_job(lake, str(photos))
    remote = create_lake(f"{s3}/lakes/first")
    main_job(remote, str(photos))
    assert contents(lake) == contents(remote)
    assert bytes_of(lake) == bytes_of(remote)
    before = versions(remote)
    main_job(remote, str(photos))
    assert versions(remote) == before, "the second run writes nothing"
    check.run(check.Config(remote.root, deep=True), remote)


def test_pictures_of_a_bucket_copied_and_in_place(lake: Lake, s3: str, photos: Path, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("s3")
    for path in photos.rglob("*.jpg"):
        client.put_object(Bucket=s3.removeprefix("s3://"), Key=f"in/{path.relative_to(photos)}", Body=path.read_bytes())
    client.close()
    main_job(lake, f"{s3}/in")
    other = create_lake(str(tmp_path / "in-place"))
    ingest.run(ingest.Config((f"{s3}/in",), other.root, in_place=True, quiet=True), other)
    extract.run(extract.Config(other.root, embed=("descriptor",), quiet=True), other)
    tables = ("images", "sightings", "hashes", "exif", "thumbnails", "embeddings", "failures")
    assert contents(lake, tables) == contents(other, tables)
    with Session(other) as session:
        uris = session.execute("select uri from images").fetchall()
        assert all(uri.startswith(f"{s3}/in/") for (uri,) in uris)
        local = {
            origin.removeprefix(f"{s3}/in/") for (origin,) in session.execute("select origin from sightings").fetchall()
        }
    assert local == {str(p.relative_to(photos)) for p in photos.rglob("*.jpg")} - {"empty.jpg"}


def test_storage_that_does_not_answer_is_one_line(
    imagelake: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    variables = s3_variables(f"http://127.0.0.1:{free_port()}")
    done = imagelake("sql", "--lake", "s3://nowhere/lake", "select 1 from images", **variables)
    assert done.returncode == 10
    assert done.stderr.count("\n") == 1
    assert "secret-of-the-test" not in done.stderr + done.stdout


@pytest.fixture
def cluster(s3_server: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A Ray head in processes of its own with token authentication: dashboard URL, environment with the token."""
    port, dashboard = free_port(), free_port()
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        **s3_variables(s3_server),
        "HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    ray = str(Path(sys.executable).with_name("ray"))
    command = [
        ray, "start", "--head", "--block", "--num-cpus=2", f"--port={port}", "--include-dashboard=true",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={free_port()}", "--object-store-memory=200000000",
    ]  # fmt: skip
    log = (tmp_path / "head.log").open("w")
    head = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{dashboard}"
    for _ in range(300):
        if _answer(url + "/api/version", TOKEN) == 200:
            break
        time.sleep(0.3)
    else:
        pytest.fail((tmp_path / "head.log").read_text()[-2000:])
    yield url, environment
    os.killpg(head.pid, signal.SIGTERM)
    try:
        head.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
    log.close()


def _answer(url: str, token: str | None) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def _submit(url: str, environment: dict[str, str], *job: str) -> subprocess.CompletedProcess[str]:
    ray = str(Path(sys.executable).with_name("ray"))
    command = [ray, "job", "submit", "--address", url, "--", sys.executable, *job]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)


def test_jobs_submitted_to_a_cluster_with_a_token(
    cluster: tuple[str, dict[str, str]], s3: str, lake: Lake, photos: Path
) -> None:
    url, environment = cluster
    assert _answer(url + "/api/jobs/", None) == 401
    assert _answer(url + "/api/jobs/", "wrong-token-wrong-token-wrong-token-wrong") == 403
    without = {k: v for k, v in environment.items() if k != "RAY_AUTH_TOKEN"}
    jobs = Path(ingest.__file__).parent
    remote = create_lake(f"{s3}/lake")
    arguments = (
        str(jobs / "ingest.py"),
        "--lake",
        remote.root,
        str(photos),
        "--labels-from-folders",
        "folder",
        "--json",
    )
    refused = _submit(url, without, *arguments)
    assert refused.returncode != 0
    assert versions(remote) == dict.fromkeys(versions(remote), 0), "nothing ran"

    done = _submit(url, environment, *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"engine": "ray"' in done.stdout
    done = _submit(url, environment, str(jobs / "extract.py"), "--lake", remote.root, "--embed", "descriptor", "--json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"engine": "ray"' in done.stdout
    assert "secret-of-the-test" not in done.stdout + done.stderr
    main_job(lake, str(photos))
    assert contents(lake) == contents(remote)
