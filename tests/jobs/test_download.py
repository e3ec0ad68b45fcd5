"""The job `download` against hosts that misbehave in every known way: what is fetched, what is not, how politely."""

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from imagelake.errors import QueryError, UsageError
from imagelake.lake.lake import Lake, create_lake
from tests.jobs.downloading import outcomes, put, put_urls, rows, run_download
from tests.jobs.same import bytes_of
from tests.servers.images import EPOCH, ImageHost

Run = Callable[..., subprocess.CompletedProcess[str]]
HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with ImageHost(addresses=HOSTS, robots={HOSTS[3]: "User-agent: *\nDisallow: /pic/"}) as server:
        yield server


def pictures(host: ImageHost, count: int) -> list[str]:
    """Addresses over three hosts that allow everything."""
    return [f"{host.at(HOSTS[n % 3])}/pic/{n}.jpg" for n in range(count)]


def test_every_reachable_picture_arrives_and_nobody_is_bothered(lake: Lake, host: ImageHost) -> None:
    """The hostile run: counts, reasons, rates, concurrency, Retry-After, robots and opt-outs, within its time."""
    a, b, c, closed = map(host.at, HOSTS)
    expected = dict.fromkeys(pictures(host, 60), "stored") | {
        f"{a}/flaky/pic/100.jpg": "stored",
        f"{b}/busy/pic/101.jpg?after=1": "stored",
        f"{b}/busy/pic/102.jpg?after=2&form=date": "stored",
        f"{c}/busy/pic/103.jpg?form=none": "stored",
        f"{a}/redirect/3/pic/104.jpg": "stored",
        f"{a}/redirect-to?u={c}/pic/105.jpg": "stored",
        f"{a}/slow/pic/106.jpg?rate=20000": "stored",
        f"{a}/gzip/pic/107.jpg": "stored",
        f"{a}/missing": "http_404",
        f"{a}/gone": "http_410",
        f"{a}/status/403": "http_403",
        f"{a}/status/500": "http_500",
        f"{a}/redirect/9/pic/1.jpg": "too_many_redirects",
        f"{a}/loop": "redirect_loop",
        f"{a}/redirect-to?u=ftp://example.org/x.jpg": "bad_scheme",
        f"{a}/redirect-to?u={closed}/pic/1.jpg": "robots",
        f"{closed}/pic/2.jpg": "robots",
        f"{a}/noai/pic/3.jpg": "opted_out",
        f"{a}/noai/pic/3.jpg?tag=imagelake:+noindex": "opted_out",
        f"{a}/noai/pic/108.jpg?tag=otherbot:+noai": "stored",
        f"{a}/page/4.html": "opted_out",
        f"{a}/html/5.jpg": "html",
        f"{a}/empty": "empty",
        f"{a}/unavailable/6": "unavailable_picture",
        f"{b}/reset/pic/7.jpg": "reset",
        f"{b}/short/pic/8.jpg": "truncated",
        f"{b}/drop": "reset",
        f"{c}/hang": "timeout",
        f"{c}/slow/pic/9.jpg?rate=100": "timeout",
        f"{a}/huge": "too_large",
        f"{a}/huge?length=0": "too_large",
        "http://nobody.invalid/x.jpg": "dns",
        "ftp://example.org/y.jpg": "",  # no address for us: not asked
    }
    put_urls(lake, expected)
    began = time.monotonic()
    report = run_download(lake, per_host=2, rate=100.0, attempts=3, deadline=1.5, max_file_bytes=1 << 20)
    assert time.monotonic() - began < 60
    del expected["ftp://example.org/y.jpg"]
    assert outcomes(lake) == expected
    stored = sum(what == "stored" for what in expected.values())
    assert (report.read, report.written, report.rejected) == (len(expected), stored, len(expected) - stored)
    assert rows(lake, "select count(*) as n from images")[0]["n"] == stored
    assert {r["item"]: r["reason"] for r in rows(lake, "select item, reason from failures")} == {
        url: what for url, what in expected.items() if what != "stored"
    }
    for name in HOSTS:
        key = f"{name}:{host.port}"
        assert host.max_concurrency(key) <= 2
        assert host.max_rate(key, window_s=0.2) <= 24  # 20, but for the time between turn and arrival
    assert host.too_early("host") == []
    asked = host.counts()
    assert asked["/robots.txt"] == len(HOSTS)
    assert not [seen for seen in host.log if seen.host.startswith(HOSTS[3]) and seen.path != "/robots.txt"]
    assert max(seen.bytes for seen in host.log) < 64 << 20  # of 10 GB
    assert all(seen.headers["user-agent"].startswith("imagelake/") for seen in host.log)
    assert asked["/status/500"] == 3
    assert asked["/missing"] == 1


def test_a_second_run_asks_for_nothing(lake: Lake, host: ImageHost) -> None:
    put_urls(lake, [*pictures(host, 9), f"{host.url}/missing"])
    run_download(lake)
    before = len(host.log)
    report = run_download(lake)
    assert (report.read, report.already_present, report.rejected_earlier) == (9, 9, 1)
    assert len(host.log) == before


def test_failures_are_tried_again_on_demand_only(lake: Lake, host: ImageHost) -> None:
    flaky, gone = f"{host.url}/flaky/pic/1.jpg?times=1", f"{host.url}/gone"
    put_urls(lake, [flaky, gone])
    assert run_download(lake, attempts=1).rejected == 2
    assert run_download(lake, retry_failed=True, only_reason=("http_503",)).written == 1
    assert host.counts()["/gone"] == 1
    assert outcomes(lake) == {flaky: "stored", gone: "http_410"}
    assert rows(lake, "select count(*) as n from latest_failures")[0]["n"] == 1
    with pytest.raises(UsageError, match="--retry-failed"):
        run_download(lake, only_reason=("http_503",))


def test_a_refresh_asks_with_validators(lake: Lake, host: ImageHost) -> None:
    urls = pictures(host, 6)
    put_urls(lake, urls)
    run_download(lake)
    host.touch("/pic/0.jpg")
    report = run_download(lake, refresh=True)
    assert (report.read, report.written, report.already_present) == (6, 1, 5)
    again = [seen for seen in host.log if seen.path.startswith("/pic/")][6:]
    assert all("if-none-match" in seen.headers and "if-modified-since" in seen.headers for seen in again)
    assert sorted(seen.status or 0 for seen in again) == [200] + [304] * 5
    assert rows(lake, "select count(*) as n from images")[0]["n"] == 7
    assert rows(lake, f"select count(*) as n from sightings where origin = '{urls[0]}'")[0]["n"] == 2
    assert run_download(lake, refresh=True).already_present == 6  # the validators of the newest answer


def test_bytes_are_verified_where_the_list_has_a_hash(lake: Lake, host: ImageHost) -> None:
    right, wrong = pictures(host, 2)
    put_urls(lake, [right], sha256=hashlib.sha256(host.pictures.get(0)).hexdigest())
    put_urls(lake, [wrong], sha256="0" * 64)
    run_download(lake)
    assert outcomes(lake) == {right: "stored", wrong: "sha256_mismatch"}


def test_private_addresses_are_refused(lake: Lake, host: ImageHost) -> None:
    numeric = f"http://2130706434:{host.port}/pic/1.jpg"  # 127.0.0.2
    urls = [host.url + "/pic/0.jpg", numeric, f"http://[::ffff:7f00:2]:{host.port}/pic/2.jpg"]
    put_urls(lake, urls)
    run_download(lake, allow_private=False)
    assert set(outcomes(lake).values()) == {"private_address"}
    assert host.log == []


def test_smaller_pictures_keep_their_exif(lake: Lake, host: ImageHost) -> None:
    put_urls(lake, pictures(host, 20))
    run_download(lake, resize="keep_ratio", size=64)
    sizes = rows(lake, "select distinct least(width_px, height_px) as side, format from images")
    assert sizes == [{"side": 64, "format": "JPEG"}]
    assert rows(lake, "select count(*) as n from images")[0]["n"] == len(
        rows(lake, "select distinct image_id from sightings")
    )


def test_what_records_say_is_told_to_their_pictures(lake: Lake, host: ImageHost) -> None:
    a, b = pictures(host, 2)
    exif = [{"tagspace": "ExifIFD", "tag": "FNumber", "raw": {"_content": "5.6"}, "clean": {"_content": "f/8"}}]
    raw = json.dumps({"photo": {}, "exif": exif, "exif_status": "ok"}, separators=(",", ":"))
    put(lake, "records", [{"provider": "flickr", "source_id": "1", "media_url": a, "raw": raw}])
    put(lake, "records", [{"provider": "europeana", "source_id": "/1/x", "media_url": b, "raw": "{}"}])
    said = [
        ("flickr", "1", "concept", "indoor"),
        ("flickr", "1", "concept", "kitchen"),
        ("europeana", "/1/x", "wm", "no"),
    ]
    names = ("provider", "source_id", "task", "label")
    put(lake, "record_labels", [dict(zip(names, row, strict=True)) for row in said])
    run_download(lake)
    labels = rows(lake, "select annotator, task, label, source from current_labels order by all")
    assert [(r["annotator"], r["task"], r["label"]) for r in labels] == [
        ("europeana", "wm", "no"), ("flickr", "concept", "indoor"), ("flickr", "concept", "kitchen")
    ]  # fmt: skip
    assert {r["source"] for r in labels} == {"record"}
    assert rows(lake, "select f_number, source from raw.exif") == [{"f_number": 5.6, "source": "flickr"}]
    run_download(lake)  # nothing is said twice
    assert rows(lake, "select count(*) as n from labels")[0]["n"] == 3
    assert rows(lake, "select count(*) as n from raw.exif")[0]["n"] == 1


def test_thumbnails_are_asked_of_the_provider(lake: Lake, host: ImageHost) -> None:
    rest = "https://museum.example/a b?c=1&d=2"
    mine = {"media_url": f"{host.url}/pic/5.jpg", "thumbnail_url": f"{host.url}/thumb/5.jpg"}
    put(lake, "records", [{"provider": "europeana", "source_id": "/1/x", "media_url": rest, "raw": "{}"}])
    put(lake, "records", [{"provider": "flickr", "source_id": "1", "raw": "{}", **mine}])
    run_download(lake, thumbnails="w400", thumbnail_service=f"{host.url}/thumb/7.jpg?uri={{uri}}&type=IMAGE&size=")
    (asked,) = host.requests("/thumb/7.jpg")
    assert asked.query == {"uri": [rest], "type": ["IMAGE"], "size": ["w400"]}
    assert len(host.requests("/thumb/5.jpg")) == 1
    linked = rows(lake, "select provider, count(*) as n from record_images group by all order by all")
    assert linked == [{"provider": "europeana", "n": 1}, {"provider": "flickr", "n": 1}]


def test_selections(lake: Lake, host: ImageHost) -> None:
    put_urls(lake, pictures(host, 30), reusability="open")
    put_urls(lake, [f"{host.url}/pic/{n}.png" for n in range(30)], reusability="permission")
    put_urls(lake, ["no address"], media_url=None)
    assert run_download(lake, where="reusability = 'open'", limit=5).written == 5
    assert run_download(lake, where="reusability = 'open'", limit=5).written == 5
    assert {seen.path[-3:] for seen in host.log if "pic" in seen.path} == {"jpg"}
    sampled = run_download(lake, sample=0.5)
    assert 5 < sampled.read < 55
    assert sampled.details == {"records without an address": 1}
    assert run_download(lake, sample=0.5).written == 0
    assert run_download(lake).already_present + run_download(lake).already_present > 60
    with pytest.raises(QueryError, match="colour"):
        run_download(lake, where="colour = 'red'")


def test_the_page_of_a_record_can_opt_out(lake: Lake, host: ImageHost) -> None:
    yes, no = pictures(host, 2)
    put_urls(lake, [yes], page_url=f"{host.url}/page/1.html?content=index")
    put_urls(lake, [no], page_url=f"{host.url}/page/2.html?content=noimageai")
    run_download(lake, check_pages=True)
    assert outcomes(lake) == {yes: "stored", no: "opted_out"}


def test_the_same_bytes_from_two_addresses_are_one_image(lake: Lake, host: ImageHost) -> None:
    urls = [f"{host.at(name)}/pic/7.jpg" for name in HOSTS[:3]]
    put_urls(lake, urls)
    assert run_download(lake).written == 3
    assert rows(lake, "select count(*) as n from images")[0]["n"] == 1
    (seen,) = rows(lake, "select count(*) as n, min(modified_at) as at from sightings")
    assert seen["n"] == 3
    assert formatdate(seen["at"].timestamp()) == formatdate(EPOCH + 7)


def test_the_command_line(lake: Lake, host: ImageHost, imagelake: Run) -> None:
    put_urls(lake, pictures(host, 3))
    done = imagelake(
        "download", "--lake", lake.root, "--allow-private", "--contact", "a@b.example", "--json", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    assert '"written": 3' in done.stdout
    assert {seen.headers["user-agent"].partition(" ")[2] for seen in host.log} == {"(+a@b.example)"}
    assert imagelake("check", "--lake", lake.root).returncode == 0


def test_a_lake_in_an_object_store(s3: str, host: ImageHost) -> None:
    lake = create_lake(f"{s3}/lake")
    put_urls(lake, [*pictures(host, 5), f"{host.url}/missing"])
    assert run_download(lake).written == 5
    assert sorted(len(data) for data in bytes_of(lake).values()) == sorted(len(host.pictures.get(n)) for n in range(5))
    assert run_download(lake).already_present == 5


def test_processes_give_the_same(tmp_path: Path, host: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines of many cores store and re-encode in processes."""
    lakes = [create_lake(str(tmp_path / name)) for name in ("threads", "processes")]
    for workers, lake in zip((2, 4), lakes, strict=True):
        put_urls(lake, pictures(host, 40))
        assert run_download(lake, workers=workers, resize="center_crop", size=32).written == 40
    assert bytes_of(lakes[0]) == bytes_of(lakes[1])
