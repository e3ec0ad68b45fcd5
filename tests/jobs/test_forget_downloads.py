"""A forgotten picture does not come back by download: by its address, from another one, or by a new harvest."""

import hashlib

import pytest

from imagelake.cli import main
from imagelake.lake.lake import Lake
from tests.jobs.downloading import outcomes, put_urls, rows, run_download
from tests.jobs.forgetting import forget, proof
from tests.servers.images import ImageHost

WHY = ("--reason", "the photographer asked")


def test_neither_its_address_nor_its_bytes(lake: Lake) -> None:
    with ImageHost() as host:
        first, second, other = (f"{host.url}/{path}" for path in ("pic/1.jpg", "redirect/1/pic/1.jpg", "pic/2.jpg"))
        put_urls(lake, [first, other])
        assert run_download(lake).written == 2
        [gone] = [row["image_id"] for row in rows(lake, "select * from fetches") if row["url"] == first]
        assert forget(lake, "--image-id", gone, *WHY) == 0
        assert outcomes(lake) == {first: "forgotten", other: "stored"}
        assert set(proof(lake).values()) == {0}
        asked = len(host.log)
        for options in ({}, {"refresh": True}, {"retry_failed": True}, {"thumbnails": "w200"}):
            run_download(lake, **options)
        assert not [s for s in host.log[asked:] if "pic/1" in s.path], "its address is never asked for again"
        put_urls(lake, [second])
        assert run_download(lake).rejected == 1
        assert outcomes(lake)[second] == "forgotten", "the same bytes from another address"
        assert gone not in [row["image_id"] for row in rows(lake, "from images")]
    assert main(["check", "--lake", lake.root, "--deep"]) == 0


@pytest.mark.parametrize("later", [False, True], ids=["at once", "afterwards"])
def test_records_go_when_asked_for(lake: Lake, later: bool) -> None:
    with ImageHost() as host:
        addresses = [f"{host.url}/pic/{n}.jpg" for n in range(3)]
        put_urls(lake, addresses, creator="Ada")
        run_download(lake)
        [gone] = [row["image_id"] for row in rows(lake, "select * from fetches") if row["url"] == addresses[0]]
        if later:
            assert forget(lake, "--image-id", gone, *WHY) == 0
            assert len(rows(lake, "from records")) == 3
        assert forget(lake, "--image-id", gone, *WHY, "--records") == 0
        assert sorted(row["media_url"] for row in rows(lake, "from records")) == addresses[1:]
        put_urls(lake, addresses[:1])  # harvested again
        assert run_download(lake).rejected_earlier == 1
        assert len(rows(lake, "from images")) == 2
    assert main(["check", "--lake", lake.root]) == 0


def test_a_record_that_knows_the_digest(lake: Lake) -> None:
    with ImageHost() as host:
        address = f"{host.url}/pic/0.jpg"
        put_urls(lake, [address])
        run_download(lake)
        [image] = rows(lake, "from images")
        put_urls(lake, [f"{host.url}/pic/9.jpg"], sha256=image["image_id"])
        assert forget(lake, "--image-id", image["image_id"], *WHY, "--records") == 0
        assert rows(lake, "from records") == []
    assert hashlib.sha256(b"").hexdigest() != image["image_id"]
