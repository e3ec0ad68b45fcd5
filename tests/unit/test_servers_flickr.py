"""The Flickr server against its documentation and, where they are, real replies; asked by http.client."""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from tests.servers.ask import get
from tests.servers.faults import Fault, Faults
from tests.servers.flickr import KEY, FlickrServer
from tests.servers.flickr_photos import GROUPS, OWNERS
from tests.servers.flickr_replies import COMMON, ERRORS
from tests.servers.flickr_search import DELETED_USER

SEARCH, POOL, EXIF = "flickr.photos.search", "flickr.groups.pools.getPhotos", "flickr.photos.getExif"


def raw(server: FlickrServer, method: str, **parameters: Any) -> tuple[int, dict[str, str], bytes]:
    """One call in no particular format."""
    return get(server, "/services/rest/?" + urlencode({"method": method, "api_key": KEY, **parameters}))


def call(server: FlickrServer, method: str, **parameters: Any) -> dict[str, Any]:
    """One call in JSON."""
    status, headers, body = raw(server, method, **{"format": "json", "nojsoncallback": 1, **parameters})
    assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
    reply: dict[str, Any] = json.loads(body)
    return reply


def fails(server: FlickrServer, method: str, **parameters: Any) -> int:
    """The code of a call that fails."""
    reply = call(server, method, **parameters)
    assert reply["stat"] == "fail"
    assert set(reply) == {"stat", "code", "message"}
    code: int = reply["code"]
    return code


def search(server: FlickrServer, **parameters: Any) -> dict[str, Any]:
    """A list of photos."""
    photos: dict[str, Any] = call(server, SEARCH, **parameters)["photos"]
    return photos


def all_ids(server: FlickrServer, **parameters: Any) -> list[str]:
    """The ids on all pages that the first promises."""
    first = search(server, **parameters)
    rest = [search(server, page=page, **parameters) for page in range(2, int(first["pages"]) + 1)]
    return [row["id"] for reply in (first, *rest) for row in reply["photo"]]


def test_formats() -> None:
    with FlickrServer(photos=20) as server:
        photo_id = server.photos.photo_id(3)
        info = "flickr.photos.getInfo"
        text = raw(server, info, photo_id=photo_id, format="json")[2].decode()
        assert text.startswith("jsonFlickrApi({")
        assert text.endswith(")")
        assert raw(server, info, photo_id=photo_id, format="json", jsoncallback="f")[2].startswith(b"f({")
        _, headers, body = raw(server, info, photo_id=photo_id)
        assert headers["content-type"] == "text/xml; charset=utf-8"
        root = ET.fromstring(body)
        found = call(server, info, photo_id=photo_id)["photo"]
        photo = root.find("photo")
        assert photo is not None
        assert (root.get("stat"), photo.get("id")) == ("ok", photo_id)
        assert photo.findtext("title") == found["title"]["_content"] == 'Tom & "Jerry" <3'
        rows = ET.fromstring(raw(server, SEARCH, min_upload_date=0)[2]).iter("photo")
        assert 'Tom & "Jerry" <3' in {row.get("title") for row in rows}
        error = ET.fromstring(raw(server, info, photo_id="0")[2]).find("err")
        assert error is not None
        assert error.attrib == {"code": "1", "msg": "Photo not found."}


def test_the_codes_that_every_method_has() -> None:
    with FlickrServer(photos=20) as server:
        assert fails(server, SEARCH, text="x", api_key="x") == 100
        assert fails(server, "flickr.none") == 112
        assert fails(server, SEARCH, text="x", auth_token="t") == 97
        assert fails(server, SEARCH, text="x", auth_token="t", api_sig="s") == 96
        assert b'code="111"' in raw(server, SEARCH, text="x", format="yaml")[2]
        assert b'code="114"' in get(server, "/services/soap/")[2]
        assert b'code="115"' in get(server, "/services/xmlrpc/")[2]
        # how keys are tested: any other code than 100 says that the key is good
        assert fails(server, EXIF, photo_id="") == 1
        assert fails(server, EXIF, photo_id="", api_key="bad") == 100


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        (1, {"tags": ",".join("abcdefghijklmnopqrstu"), "tag_mode": "all"}),
        (2, {"user_id": "nobody"}),
        (3, {}),
        (4, {"group_id": list(GROUPS)[2]}),
        (5, {"user_id": DELETED_USER}),
        (11, {"machine_tags": "x"}),
        (12, {"machine_tags": ",".join("a:b=c" for _ in range(9))}),
        (13, {"jump_to": "1"}),
        (14, {"jump_to": "x"}),
        (16, {"faves": 1}),
        (17, {"contacts": "ff"}),
        (18, {"min_upload_date": 2, "max_upload_date": 1}),
        (18, {"min_upload_date": "yesterday"}),
        (19, {"similarity_id": "1"}),
    ],
)
def test_searches_that_are_refused(code: int, parameters: dict[str, Any]) -> None:
    with FlickrServer(photos=20) as server:
        assert fails(server, SEARCH, **parameters) == code


def test_every_documented_code_can_be_served() -> None:
    for method, codes in ERRORS.items():
        for code in (*codes, *COMMON):
            with FlickrServer(photos=1, faults=Faults(Fault("refusal", code=code))) as server:
                reply = call(server, method)
                assert (reply["stat"], reply["code"]) == ("fail", code)
                expected = codes.get(code) or COMMON[code]
                assert reply["message"] == expected.replace("xxx", "json" if code == 111 else method)


def test_paging() -> None:
    with FlickrServer(photos=1300) as server:
        assert search(server, license="0,1,2,3,4,5,6,7,8,9,10")["perpage"] == 100
        reply = search(server, min_upload_date=0, per_page=9999)
        assert (reply["page"], reply["pages"], reply["perpage"], reply["total"]) == (1, 3, 500, 1300)
        found = all_ids(server, min_upload_date=0, per_page=500)
        assert len(set(found)) == 1300
        assert found == sorted(found, reverse=True)  # the last upload first
        assert search(server, min_upload_date=0, per_page=500, page=9)["photo"] == []
        assert search(server, bbox="-180,-90,180,90", per_page=500)["perpage"] == 250
    with FlickrServer(photos=30, total_as_text=True) as server:
        assert search(server, min_upload_date=0)["total"] == "30"


def test_behind_4000_results() -> None:
    with FlickrServer(photos=6000) as server:
        found = all_ids(server, min_upload_date=0, per_page=500)
        assert len(found) == 6000
        assert len(set(found)) == 4000
        assert found[4000:] == found[:2000]
        middle = int(server.photos.uploaded[3000])
        halves = all_ids(server, min_upload_date=0, max_upload_date=middle - 1, per_page=500)
        halves += all_ids(server, min_upload_date=middle, per_page=500)
        assert len(halves) == len(set(halves)) == 6000
        assert search(server, min_upload_date=middle, max_upload_date=middle)["photo"]  # both ends are within
    with FlickrServer(photos=6000, beyond="error") as server:
        assert len(search(server, min_upload_date=0, per_page=500, page=8)["photo"]) == 500
        assert fails(server, SEARCH, min_upload_date=0, per_page=500, page=9) == 20


def test_totals_that_are_wrong() -> None:
    with FlickrServer(photos=6000, undercount=750, shrinking=3) as server:
        assert [search(server, min_upload_date=0, page=page)["total"] for page in (1, 2, 11)] == [5250, 5247, 5220]
        few = search(server, min_upload_date=int(server.photos.uploaded[-100]))
        assert few["total"] < len(few["photo"])


def test_rows_that_come_twice() -> None:
    with FlickrServer(photos=950, duplicates=10) as server:
        found = all_ids(server, min_upload_date=0, per_page=100)
        assert len(set(found)) == 950
        assert len(found) > 1000
        assert Counter(found).most_common(1)[0][1] == 2


@pytest.mark.parametrize(
    ("parameters", "check"),
    [
        ({"text": "leopard"}, lambda row: "leopard" in row["tags"].split()),
        ({"text": "leopard forest"}, lambda row: {"leopard", "forest"} <= set(row["tags"].split())),
        ({"tags": "sjusjøen,東京", "tag_mode": "all"}, lambda row: {"sjusjøen", "東京"} <= set(row["tags"].split())),
        ({"tags": "cat,oslo"}, lambda row: {"cat", "oslo"} & set(row["tags"].split())),
        ({"user_id": OWNERS[3]}, lambda row: row["owner"] == OWNERS[3]),
        ({"text": "cat", "license": "4,5"}, lambda row: row["license"] in {"4", "5"}),
        ({"text": "cat", "media": "photos"}, lambda row: row["media"] == "photo"),
        ({"text": "cat", "media": "videos"}, lambda row: row["media"] == "video"),
        ({"text": "cat", "has_geo": 1}, lambda row: isinstance(row["latitude"], str)),
        ({"bbox": "0,0,90,60"}, lambda row: 0 <= float(row["latitude"]) <= 60 and 0 <= float(row["longitude"]) <= 90),
        ({"min_taken_date": "2015-01-01 00:00:00"}, lambda row: row["datetaken"] >= "2015"),
        ({"max_upload_date": "2012-01-01"}, lambda row: int(row["dateupload"]) <= 1325376000),
        ({"group_id": next(iter(GROUPS))}, lambda row: row),
    ],
)
def test_searches(parameters: dict[str, Any], check: Any) -> None:
    with FlickrServer(photos=2000) as server:
        extras = "tags,license,media,geo,date_taken,date_upload"
        reply = search(server, extras=extras, per_page=250, **parameters)
        assert 0 < int(reply["total"]) < 2000
        assert all(check(row) for row in reply["photo"])


@pytest.mark.parametrize("sort", ["date-posted-asc", "date-taken-desc", "relevance"])
def test_orders(sort: str) -> None:
    with FlickrServer(photos=300) as server:
        rows = search(server, text="cat", sort=sort, per_page=500, extras="date_taken")["photo"]
        keys = [row["datetaken" if "taken" in sort else "id"] for row in rows]
        assert (keys == sorted(keys, reverse="desc" in sort)) == (sort != "relevance")
        assert rows == search(server, text="cat", sort=sort, per_page=500, extras="date_taken")["photo"]


def test_pools() -> None:
    groups = list(GROUPS)
    with FlickrServer(photos=2000) as server:
        reply = call(server, POOL, group_id=groups[0], per_page=500, extras="media")["photos"]
        assert {row["media"] for row in reply["photo"]} == {"photo", "video"}
        assert {"ownername", "dateadded"} <= set(reply["photo"][0])
        tagged = call(server, POOL, group_id=groups[0], tags="cat", extras="tags")["photos"]
        assert 0 < tagged["total"] < reply["total"]
        assert all("cat" in row["tags"] for row in tagged["photo"])
        assert call(server, POOL, group_id=groups[0], tags="cat,oslo")["photos"]["total"] == 0  # one tag only
        assert call(server, POOL, group_id=groups[0], page=10**6)["photos"]["page"] == 10_000
        codes = [fails(server, POOL, group_id=group) for group in ("none", groups[2], groups[3])]
        assert codes == [1, 2, 4]
        assert fails(server, POOL, group_id=groups[0], user_id="x") == 3
        url = "https://www.flickr.com/groups/leopards/"
        assert call(server, "flickr.urls.lookupGroup", url=url)["group"]["id"] == groups[0]
        assert fails(server, "flickr.urls.lookupGroup", url=url + "x") == 1


def test_exif() -> None:
    with FlickrServer(photos=200) as server:
        replies = [call(server, EXIF, photo_id=server.photos.photo_id(n)) for n in range(200)]
        codes = Counter(reply.get("code") for reply in replies)
        assert 20 < codes[2] < 70
        assert codes[2] == server.photos.is_denied.sum()
        found = [reply["photo"]["exif"] for reply in replies if reply["stat"] == "ok"]
        assert sum(not entries for entries in found) > 5
        values = [entry["raw"]["_content"] for entries in found for entry in entries if entry["tag"] == "ISO"]
        assert {type(value) for value in values} == {str, int}
        entries = next(entries for entries in found if entries)
        assert max(Counter(entry["tag"] for entry in entries).values()) == 2
        saturation = next(entry for entry in entries if entry["tag"] == "Saturation")
        assert saturation["raw"] != saturation["clean"]


def test_files() -> None:
    options = {"dummy_servers": 0.1}
    with FlickrServer(photos=100, removed_every=20, photo_options=options) as server:
        rows = search(server, min_upload_date=0, extras="url_l,url_o,url_h", per_page=100)["photo"]
        for row in rows:
            n = server.photos.number(row["id"]) or 0
            for url in (row["url_l"], row["url_h"], row.get("url_o", row["url_l"])):
                status, headers, _ = get(server, url.removeprefix(server.url))
                assert status == (404 if row["server"] == "1234" else 302 if n % 20 == 0 else 200)
                if status == 302:
                    assert headers["location"] == f"{server.url}/photo_unavailable.png"
        assert sum(row["server"] == "1234" for row in rows) > 2
        good = next(row for row in rows if row["server"] != "1234" and int(row["id"]) % 20 != 0)
        stem = f"/{good['server']}/{good['id']}_"
        found = {size: get(server, f"{stem}{good['secret']}{size}.jpg")[0] for size in ("", "_b", "_k", "_o", "_y")}
        assert found == {"": 200, "_b": 200, "_k": 404, "_o": 404, "_y": 404}  # large sizes have secrets of their own
        assert get(server, f"{stem}0123456789_b.jpg")[0] == 404
        assert get(server, "/photo_unavailable.png")[1]["content-type"] == "image/png"


def test_the_limit_is_for_calls_only() -> None:
    with FlickrServer(photos=10, requests_per_hour=2) as server:
        found = [raw(server, SEARCH, text="cat") for _ in range(3)]
        assert [status for status, _, _ in found] == [200, 200, 429]
        assert "retry-after" not in found[2][1]
        path = server.photos.url(1, "l").removeprefix(server.url)
        assert get(server, path)[0] == 200
