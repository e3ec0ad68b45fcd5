"""Every command in README and docs runs; every link leads somewhere; the table of exit codes is the code's."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagelake import errors
from tests.conftest import jpeg, s3_variables
from tests.servers.europeana import EuropeanaServer
from tests.servers.flickr import KEY, FlickrServer
from tests.servers.images import ImageHost

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
IDS = [page.stem for page in PAGES]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, make_pictures: Callable[..., Path]) -> Path:
    """What the pages speak of: photos/, scans.zip, list.csv."""
    photos = make_pictures(tmp_path / "photos", 12)
    (photos / "query.jpg").write_bytes(jpeg(3))
    (photos / "notes.txt").write_text("not a picture")
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as file:
        file.writestr("page.jpg", jpeg(50))
    (tmp_path / "list.csv").write_text("path\nphotos/a/00000.jpg\nphotos/b/00001.jpg\n")
    (tmp_path / "photo_ids.json").write_text(json.dumps({"indoor": [{"id": "1", "secret": "ab", "server": "65535"}]}))
    crawled, mir = tmp_path / "indoor_outdoor" / "indoor" / "kitchen", tmp_path / "mirflickr"
    for folder in (crawled / "images", crawled / "exif", mir):
        folder.mkdir(parents=True)
    (crawled / "images" / "7_ab_65535_b.jpg").write_bytes(jpeg(51))
    exif = [{"tagspace": "ExifIFD", "tag": "ISO", "raw": {"_content": 200}}]
    (crawled / "exif" / "7.json").write_text(json.dumps({"photo": {"id": "7", "exif": exif}, "stat": "ok"}))
    (mir / "im1.jpg").write_bytes(jpeg(52))
    (mir / "exif1.txt").write_text("-Focal Length\n35.0 mm\n")
    (mir / "sky.txt").write_text("1\n")
    return tmp_path


# `imagelake` of the pages: as it is, but the services and hosts are on this machine.
SHIM = """#!/bin/sh
case "$1 $2" in
  "harvest europeana"*) case "$*" in *--help*) ;; *) set -- "$@" --api-url "$EUROPEANA" ;; esac ;;
  "harvest flickr-search" | "harvest flickr-group" | "harvest flickr-photos") set -- "$@" --api-url "$FLICKR" ;;
  "download "*) set -- "$@" --allow-private ;;
esac
exec "$REAL" "$@"
"""


@pytest.fixture
def services(place: Path) -> Iterator[dict[str, str]]:
    """The services that the pages ask, a list of addresses of pictures, and the variables that lead there."""
    shim = place / "bin" / "imagelake"
    shim.parent.mkdir()
    shim.write_text(SHIM)
    shim.chmod(0o755)
    with (
        ImageHost() as host,
        EuropeanaServer(records=300, images=f"{host.url}/pic/{{n}}.jpg") as europeana,
        FlickrServer(photos=300) as flickr,
    ):
        addresses = [f"{host.url}/pic/{n}.jpg" for n in range(6)]
        (place / "urls.csv").write_text("\n".join(["url,photographer", *(f"{a},Ada" for a in addresses)]))
        lines = [
            {"key": f"k{n}", "url": f"{host.url}/pic/{n}.png", "caption": "a", "sha256": None, "kind": "x"}
            for n in range(3)
        ]
        (place / "urls.jsonl").write_text("\n".join(map(json.dumps, lines)))
        yield {
            "REAL": str(Path(sys.executable).with_name("imagelake")),
            "EUROPEANA": europeana.url,
            "EUROPEANA_API_KEY": "the-key",
            "FLICKR": f"{flickr.url}/services/rest/",
            "FLICKR_API_KEY": KEY,
        }


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=[p.stem for p in PAGES if blocks(p)])
def test_commands_run(page: Path, place: Path, request: pytest.FixtureRequest) -> None:
    script = "\n".join(blocks(page))
    environment = variables(place, script, request)
    if "imagelake init my-lake" not in script:
        script = f"imagelake init my-lake\nimagelake ingest --lake my-lake photos/\n{LOOK}\n{script}"
    bash = shutil.which("bash")
    assert bash
    command = [bash, "-euo", "pipefail", "-c", script]
    with (place / "output").open("w+") as output:
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(240)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what the page left behind
                os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, (place / "output").read_text()[-4000:]


def variables(place: Path, script: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a page's commands, with the servers that they need."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(place / "home"), "HF_HUB_OFFLINE": "1"}
    (place / "home").mkdir()
    if "harvest" in script:
        environment |= request.getfixturevalue("services")
        environment["PATH"] = f"{place / 'bin'}:{environment['PATH']}"
    if "s3://my-bucket" in script:
        environment |= s3_variables(request.getfixturevalue("s3_server"))
        make = "import boto3; boto3.client('s3').create_bucket(Bucket='my-bucket')"
        subprocess.run([sys.executable, "-c", make], env=environment, check=True)
    return environment


LOOK = "imagelake extract --lake my-lake --embed descriptor"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_exit_codes_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ImagelakeError)]
    assert documented == {0} | {kind.exit_code for kind in kinds}


def test_demo_runs_twice(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "all").exists():
        pytest.skip("no .venv in the checkout: make setup")
    command = ["make", "-C", str(ROOT), "demo", f"DEMO={tmp_path / 'demo'}"]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr[-3000:]
    assert (tmp_path / "demo" / "report" / "index.html").exists()
    assert " 0 written" not in first.stdout
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert second.stdout.count(" 0 written") == 3
