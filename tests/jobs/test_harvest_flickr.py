"""Searches and groups of Flickr against a server that answers as Flickr does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagelake.errors import ApiError, SourceError, UsageError
from imagelake.lake.lake import Lake, create_lake
from imagelake.sources.flickr.collect import REJECTED_EARLIER
from imagelake.sources.flickr.ids import to_base58
from imagelake.sources.flickr.search import UNREACHED
from tests.jobs.flickr_harvests import KEY, calls, harvest, ids, rows
from tests.servers.flickr import FlickrServer
from tests.servers.flickr_photos import OWNERS
from tests.servers.flickr_search import find


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[FlickrServer]:
    with FlickrServer(photos=400, key=KEY) as running:
        yield running


@pytest.mark.parametrize("beyond", ["repeat", "error"])
def test_a_search_of_more_than_4000_results_is_read_whole_in_windows(lake: Lake, beyond: str) -> None:
    hostile = {"beyond": beyond, "undercount": 750, "duplicates": 3, "shrinking": 7, "total_as_text": True}
    with FlickrServer(photos=18_000, key=KEY, **hostile) as server:  # type: ignore[arg-type]
        report = harvest(lake, server, "flickr-search", "leopard", metadata_only=True, label="cat")
        expected = ids(server, text="leopard", media="photos")
        log = server.log
    assert len(expected) > 4000
    assert {row[0] for row in rows(lake, "select source_id from records")} == expected
    assert report.written == len(expected)
    assert rows(lake, "select task, label, count(*) from record_labels group by all") == [
        ("concept", "cat", len(expected))
    ]
    assert all(int(request.get("page")) * int(request.get("per_page")) <= 4000 for request in log)
    assert len(log) < 30
    assert rows(lake, "select count(*) filter (next_cursor is null), count(distinct query) from harvest_pages") == [
        (1, 1)
    ]


def test_a_search_that_is_given_whole_keeps_licence_tags_and_addresses(lake: Lake, server: FlickrServer) -> None:
    report = harvest(
        lake, server, "flickr-search", "leopard", metadata_only=True, filter_tag="forest,beach", per_page=7
    )
    expected = ids(server, text="leopard", media="photos", tags="forest,beach", tag_mode="all")
    assert {row[0] for row in rows(lake, "select source_id from records")} == expected
    assert (report.read, report.written) == (len(expected),) * 2
    assert calls(server) == {"search": len(expected) // 7 + 1}  # a full page may not be the last
    licences = dict(rows(lake, "select licence, any_value(reusability) from records group by all"))
    assert licences["CC-BY-NC-ND-2.0"] == "restricted"
    assert rows(lake, "select count(*) from records where not list_has_all(tags, ['forest', 'beach'])") == [(0,)]
    for photo_id, media_url, page_url, raw in rows(lake, "select source_id, media_url, page_url, raw from records"):
        n = server.photos.number(photo_id)
        assert n is not None
        assert media_url == server.photos.url(n, "l")
        assert page_url == f"https://www.flickr.com/photos/{OWNERS[server.photos.owner[n]]}/{photo_id}"
        assert set(json.loads(raw)) == {"photo"}


def test_exif_is_kept_raw_with_its_status(lake: Lake, server: FlickrServer) -> None:
    report = harvest(lake, server, "flickr-search", "leopard")
    photos = server.photos
    wanted: dict[str, str] = {}
    for number in ids(server, text="leopard", media="photos"):
        n = photos.number(number)
        assert n is not None
        wanted[number] = "denied" if photos.is_denied[n] else "none" if n % 9 == 8 else "ok"
    assert dict(rows(lake, "select source_id, raw::json->>'exif_status' from records")) == wanted
    assert set(wanted.values()) == {"ok", "denied", "none"}
    assert report.written == len(wanted) == calls(server)["getExif"]
    kinds = {
        type(tag["raw"]["_content"])
        for row in rows(lake, "select raw from records")
        for tag in json.loads(row[0])["exif"] or ()
    }
    assert kinds == {str, int, float}
    harvest(lake, server, "flickr-search", "leopard")  # all are known: no EXIF is asked for again
    assert calls(server)["getExif"] == len(wanted)


def test_required_tags_reject_with_their_names_and_only_once(lake: Lake, server: FlickrServer) -> None:
    options: dict[str, Any] = {"require_tags": ("FocalLength", "flash", "ISOSpeed")}
    report = harvest(lake, server, "flickr-search", "leopard", label="cat", **options)
    reasons = dict(rows(lake, "select reason, count(*) from failures group by all"))
    assert set(reasons) == {"missing_tags", "exif_denied"}
    assert sum(reasons.values()) == report.rejected > 0
    messages = {row[0] for row in rows(lake, "select distinct message from failures where reason = 'missing_tags'")}
    assert messages == {"the EXIF lacks FocalLength, Flash", "the EXIF lacks FocalLength, Flash, ISO"}
    assert (
        report.written
        == len(rows(lake, "select source_id from records"))
        == len(rows(lake, "select label from record_labels"))
    )
    before = calls(server)["getExif"]
    again = harvest(lake, server, "flickr-search", "leopard", label="cat", **options)
    assert calls(server)["getExif"] == before
    assert again.details == {REJECTED_EARLIER: report.rejected}
    assert again.already_present == report.read
    harvest(lake, server, "flickr-search", "leopard", label="cat", retry_failed=True, **options)
    assert calls(server)["getExif"] == before + report.rejected


def test_pages_beyond_the_end_are_left_out_and_said(lake: Lake, server: FlickrServer) -> None:
    total = len(ids(server, text="leopard", media="photos"))
    pages = -(-total // 20)
    report = harvest(
        lake, server, "flickr-search", "leopard", metadata_only=True, per_page=20, start_page=pages - 1, page_limit=50
    )
    assert report.written == total - 20 * (pages - 2)
    assert report.details["page limit"] == (
        f"pages {pages - 1} to {pages + 48} asked for, {pages} can be read ({total} photos)"
    )
    with pytest.raises(SourceError, match=f"behind the last page, {pages}"):
        harvest(lake, server, "flickr-search", "leopard", per_page=20, start_page=pages + 1)
    with pytest.raises(SourceError, match="no photos for 'zebra'"):
        harvest(lake, server, "flickr-search", "zebra")


def test_a_limit_takes_the_most_relevant_and_the_next_run_goes_on(lake: Lake) -> None:
    with FlickrServer(photos=18_000, key=KEY) as server:
        first = [
            server.photos.photo_id(n)
            for n in find(server.photos, (("text", "leopard"), ("media", "photos"), ("sort", "relevance"))).tolist()
        ]
        options: dict[str, Any] = {"metadata_only": True, "limit": 700}
        assert harvest(lake, server, "flickr-search", "leopard", **options).written == 700
        assert {row[0] for row in rows(lake, "select source_id from records")} == set(first[:700])
        assert harvest(lake, server, "flickr-search", "leopard", **options).written == 700
        assert {row[0] for row in rows(lake, "select source_id from records")} == set(first[:1400])
        # more than one search gives: the windows supply the rest
        report = harvest(lake, server, "flickr-search", "leopard", metadata_only=True, limit=2800)
        assert report.written == 2800
        assert len(rows(lake, "select source_id from records")) == 4200


def test_a_second_with_too_many_photos_is_reported(lake: Lake) -> None:
    with FlickrServer(photos=18_000, key=KEY) as server:
        server.photos.uploaded[:] = 1_500_000_000
        report = harvest(lake, server, "flickr-search", "leopard", metadata_only=True, sort="date-posted-asc")
        total = len(ids(server, text="leopard", media="photos"))
    assert total > 4000
    assert report.details == {UNREACHED: total - 4000}
    assert report.written == 4000


def test_upload_dates_bound_the_search(lake: Lake, server: FlickrServer) -> None:
    options: dict[str, Any] = {"min_upload_date": "2012-01-01", "max_upload_date": "2019-12-31"}
    harvest(lake, server, "flickr-search", "leopard", metadata_only=True, **options)
    expected = ids(server, text="leopard", media="photos", min_upload_date="1325376000", max_upload_date="1577836799")
    assert {row[0] for row in rows(lake, "select source_id from records")} == expected


def test_a_missing_key_is_one_line(lake: Lake, server: FlickrServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY")
    for source in ("flickr-search", "flickr-group"):
        with pytest.raises(UsageError, match="set FLICKR_API_KEY"):
            harvest(lake, server, source, "1000001@N00")


def test_the_pool_of_a_group_by_id_page_and_short_link(tmp_path: Path, server: FlickrServer) -> None:
    in_pool = {server.photos.photo_id(n) for n in range(400) if server.photos.in_group[n, 0]}
    videos = {server.photos.photo_id(n) for n in range(400) if server.photos.is_video[n]}
    assert in_pool & videos
    for k, name in enumerate(
        ("1000001@N00", "https://www.flickr.com/groups/leopards/", f"https://flic.kr/g/{to_base58(100000100)}")
    ):
        lake = create_lake(str(tmp_path / str(k)))
        report = harvest(lake, server, "flickr-group", name, metadata_only=True, per_page=50, label="cat")
        assert {row[0] for row in rows(lake, "select source_id from records")} == in_pool - videos
        assert report.rejected == len(in_pool & videos)
        assert rows(lake, "select distinct reason from failures") == [("not_a_photo",)]
        assert rows(lake, "select distinct dataset from records") == [("1000001@N00",)]
        assert len(rows(lake, "select label from record_labels")) == len(in_pool - videos)
        again = harvest(lake, server, "flickr-group", name, metadata_only=True, per_page=50, label="cat")
        assert (again.written, again.rejected) == (0, 0)
        assert again.details == {REJECTED_EARLIER: len(in_pool & videos)}


def test_one_tag_of_a_pool(lake: Lake, server: FlickrServer) -> None:
    report = harvest(lake, server, "flickr-group", "1000002@N01", metadata_only=True, filter_tag="forest", page_limit=9)
    assert rows(lake, "select distinct list_contains(tags, 'forest') from records") == [(True,)]
    assert report.details["page limit"].startswith("pages 1 to 9 asked for, 1 can be read")  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="one tag"):
        harvest(lake, server, "flickr-group", "1000002@N01", filter_tag="forest,beach")
    with pytest.raises(SourceError, match="no photos with the tag 'zebra'"):
        harvest(lake, server, "flickr-group", "1000002@N01", filter_tag="zebra")


@pytest.mark.parametrize(("group", "code"), [("9999999@N99", 1), ("1000003@N02", 2), ("1000004@N03", 4)])
def test_a_group_that_is_not_shown(lake: Lake, server: FlickrServer, group: str, code: int) -> None:
    with pytest.raises(ApiError, match=rf"\(code {code}\)"):
        harvest(lake, server, "flickr-group", group)


def test_pages_that_overlap_are_counted_once(lake: Lake) -> None:
    with FlickrServer(photos=400, key=KEY, duplicates=5) as server:
        report = harvest(lake, server, "flickr-group", "1000001@N00", metadata_only=True, per_page=20)
        assert report.written == len(rows(lake, "select source_id from records"))
        assert report.already_present > 20
        in_pool = {server.photos.photo_id(n) for n in range(400) if server.photos.in_group[n, 0]}
    assert report.written + report.rejected == len(in_pool)
