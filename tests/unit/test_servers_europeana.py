"""The Europeana server against what is known of the real one, asked by http.client."""

import io
import json
from collections import Counter
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from PIL import Image

from tests.servers.ask import get
from tests.servers.europeana import DEEP, EuropeanaServer, make_cursor, read_cursor
from tests.servers.europeana_records import RIGHTS
from tests.servers.faults import Fault, Faults

Reply = tuple[int, dict[str, Any]]
MORE = {"wskey": "the-key", "query": "*"}


def ask(server: EuropeanaServer, path: str = "/record/v2/search.json", **parameters: Any) -> Reply:
    """One search, with the right key unless another is given."""
    status, headers, body = get(server, f"{path}?{urlencode({**MORE, **parameters}, doseq=True)}")
    assert headers["content-type"] == "application/json;charset=UTF-8"
    return status, json.loads(body)


def pages(server: EuropeanaServer, **parameters: Any) -> list[dict[str, Any]]:
    """Every page of a search by cursor."""
    found, cursor = [], "*"
    while cursor:
        found.append(ask(server, cursor=cursor, **parameters)[1])
        cursor = found[-1].get("nextCursor", "")
    return found


def ids(found: list[dict[str, Any]]) -> list[str]:
    """The ids on all pages."""
    return [item["id"] for page in found for item in page["items"]]


def test_the_key_is_checked() -> None:
    with EuropeanaServer(records=5) as server:
        status, reply = ask(server, wskey="other")
        assert (status, reply["success"], reply["error"], reply["code"]) == (
            *(400, False, "Invalid API key"),
            "401_key_invalid",
        )
        assert ask(server, wskey="")[0] == 400
        assert get(server, "/record/v2/search.json?query=*", X_Api_Key="the-key")[0] == 200
    with EuropeanaServer(records=5, key_status=401) as server:
        assert ask(server, wskey="other")[0] == 401


@pytest.mark.parametrize(
    ("parameters", "count"), [({}, 12), ({"rows": 0}, 0), ({"rows": 7}, 7), ({"rows": 1000}, 100), ({"start": 148}, 3)]
)
def test_rows_have_a_default_and_a_cap(parameters: dict[str, Any], count: int) -> None:
    with EuropeanaServer(records=150) as server:
        status, reply = ask(server, **parameters)
        assert (status, reply["itemsCount"], len(reply["items"]), reply["totalResults"]) == (200, count, count, 150)
        assert "nextCursor" not in reply


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"start": 901, "rows": 100}, DEEP),
        ({"start": 1, "cursor": "nonsense"}, "Invalid cursor mark: nonsense"),
        ({"start": 5, "cursor": "*"}, "Parameters 'start' and 'cursor' cannot be used together"),
        ({"rows": -1}, "The parameters start and rows must not be negative"),
        ({"rows": "x"}, "invalid literal for int() with base 10: 'x'"),
        ({"query": "(TYPE:IMAGE"}, "Invalid query: a bracket that is not closed"),
        ({"qf": "edm_datasetName:*_x"}, "Invalid query: edm_datasetName:*_x"),
        ({"sort": "size"}, "Invalid query: sort field size"),
        ({"query": "YEAR:[1 TO x]"}, "Invalid query: x"),
    ],
)
def test_bad_requests(parameters: dict[str, Any], error: str) -> None:
    with EuropeanaServer(records=2000) as server:
        status, reply = ask(server, **parameters)
        assert (status, reply["success"], reply["error"], reply["code"]) == (400, False, error, "400-SC")
        assert ask(server, start=900, rows=100)[0] == 200


def test_a_query_is_required() -> None:
    with EuropeanaServer(records=5) as server:
        assert get(server, "/record/v2/search.json?wskey=the-key")[0] == 400


@pytest.mark.parametrize("sort", ["", "europeana_id", "random,europeana_id", "random_7", "timestamp_update desc"])
def test_cursors_lead_through_all_records_once(sort: str) -> None:
    with EuropeanaServer(records=455) as server:
        found = pages(server, rows=100, sort=sort)
        assert [len(page["items"]) for page in found] == [100] * 4 + [55]
        assert set(ids(found)) == set(server.collection.ids)
        assert len(ids(found)) == 455
        assert ids(found) == ids(pages(server, rows=50, sort=sort))
        if sort == "europeana_id":
            assert ids(found) == sorted(ids(found))
        if sort == "random,europeana_id":
            assert ids(found) == ids(pages(server, rows=100, sort="random"))
        if sort == "random_7":
            assert ids(found) != ids(pages(server, rows=100, sort="random_8"))


def test_a_cursor_must_be_encoded() -> None:
    with EuropeanaServer(records=300) as server:
        cursor = ask(server, cursor="*", rows=100)[1]["nextCursor"]
        assert set("+/=") <= set(cursor)
        base = "/record/v2/search.json?wskey=the-key&query=*&cursor="
        assert get(server, base + quote(cursor, safe=""))[0] == 200
        assert get(server, base + cursor)[0] == 400
    assert read_cursor(make_cursor(123456)) == 123456
    with pytest.raises(ValueError, match="Invalid cursor"):
        read_cursor(make_cursor(123456).replace("A", "B", 1))


def test_the_last_page_may_have_a_cursor_to_an_empty_one() -> None:
    with EuropeanaServer(records=200, trailing_page=True) as server:
        assert [len(page["items"]) for page in pages(server, rows=100)] == [100, 100, 0]


def test_records_can_come_twice_and_none_is_lost() -> None:
    with EuropeanaServer(records=455, duplicates=10) as server:
        found = ids(pages(server, rows=100))
        assert set(found) == set(server.collection.ids)
        assert len(found) == 455 + 10 * 4
        assert Counter(found).most_common(1)[0][1] == 2


def test_totals_can_change_and_fields_be_missing() -> None:
    with EuropeanaServer(records=500, changing_totals=True, missing_fields=0.3, bad_every=50) as server:
        found = pages(server, rows=100)
        assert len({page["totalResults"] for page in found}) > 3
        items = [item for page in found for item in page["items"]]
        assert sum("title" not in item for item in items) > 100
        bad = items[::50]
        assert ["id" in item and item["id"] for item in bad[:3]] == [False, None, bad[2]["id"]]
        assert bad[2]["rights"] == {"def": []}
        assert sum("id" not in item for item in items) == 4


@pytest.mark.parametrize(
    ("filters", "check"),
    [
        ({"qf": "TYPE:IMAGE"}, lambda item: item["type"] == "IMAGE"),
        ({"qf": 'TYPE:"IMAGE"'}, lambda item: item["type"] == "IMAGE"),
        ({"qf": ["TYPE:IMAGE", "COUNTRY:France"]}, lambda item: item["country"] == ["France"]),
        ({"query": "edm_datasetName:920_*"}, lambda item: item["edmDatasetName"][0].startswith("920_")),
        ({"query": "COUNTRY:France OR COUNTRY:Greece"}, lambda item: item["country"][0] in {"France", "Greece"}),
        ({"query": "* AND NOT COUNTRY:France"}, lambda item: item["country"] != ["France"]),
        ({"query": "TYPE:TEXT -COUNTRY:France"}, lambda item: item["type"] == "TEXT"),
        ({"query": '"glass negative"'}, lambda item: "Glass" in item.get("title", ["Glass"])[0]),
        ({"query": 'DATA_PROVIDER:"Musée d\'Art n° 1"'}, lambda item: item["dataProvider"] == ["Musée d'Art n° 1"]),
        ({"query": "YEAR:[1900 TO 1905]"}, lambda item: "1900" <= item.get("year", ["1900"])[0] <= "1905"),
        ({"reusability": "open"}, lambda item: RIGHTS[item["rights"][0]] == "open"),
        ({"media": "true"}, lambda item: "edmIsShownBy" in item),
        ({"thumbnail": "true"}, lambda item: "edmPreview" in item),
        ({"theme": "fashion"}, lambda item: item["edmDatasetName"]),
    ],
)
def test_filters(filters: dict[str, Any], check: Any) -> None:
    with EuropeanaServer(records=2000) as server:
        found = pages(server, rows=100, **filters)
        items = [item for page in found for item in page["items"]]
        assert 0 < len(items) < 2000
        assert len(items) == found[0]["totalResults"]
        assert all(check(item) for item in items)


def test_one_record_by_its_id_and_none_of_no_dataset() -> None:
    with EuropeanaServer(records=100) as server:
        name = server.collection.ids[7]
        assert ask(server, query=f'europeana_id:"{name}"')[1]["items"][0]["id"] == name
        for query in ("edm_datasetName:none_*", 'europeana_id:"/1/x"', "nosuchfield:1"):
            assert ask(server, query=query)[1]["totalResults"] == 0


def test_facets_count_all_results() -> None:
    with EuropeanaServer(records=1000, datasets=60) as server:
        name = "edm_datasetName"
        reply = ask(server, rows=0, profile="facets", facet=[name, "TYPE,NONE"])[1]
        assert [facet["name"] for facet in reply["facets"]] == [name, "TYPE"]
        assert len(reply["facets"][0]["fields"]) == 50
        limit: dict[str, Any] = {f"f.{name}.facet.limit": 10000}
        fields = ask(server, rows=0, profile="facets", facet=name, **limit)[1]["facets"][0]["fields"]
        assert len(fields) == 60
        assert sum(field["count"] for field in fields) == 1000
        assert fields == sorted(fields, key=lambda field: -field["count"])
        assert all(ask(server, qf=f'{name}:"{f["label"]}"')[1]["totalResults"] == f["count"] for f in fields[:5])
        begin: dict[str, Any] = {f"f.{name}.facet.limit": 3, f"f.{name}.facet.offset": 2}
        assert ask(server, rows=0, profile="facets", facet=name, **begin)[1]["facets"][0]["fields"] == fields[2:5]
        assert "facets" not in ask(server)[1]


def test_profiles_and_the_key_in_the_items() -> None:
    with EuropeanaServer(records=50) as server:
        minimal, standard, rich = (
            ask(server, rows=50, profile=profile)[1]["items"] for profile in ("minimal", "standard", "rich params")
        )
        for few, some, most in zip(minimal, standard, rich, strict=True):
            assert set(few) < set(some) < set(most)
            assert most["link"].endswith("?wskey=the-key")
            assert most["guid"].endswith("&utm_campaign=the-key")
        assert "edmLandingPage" in rich[0]
        assert ask(server, profile="params")[1]["params"]["query"] == "*"
        text = json.dumps(standard, ensure_ascii=False)
        assert all(part in text for part in ("'", "\\n", "🌊", "Ἀκρόπολις", '\\"Est\\"'))
        assert sum("edmIsShownBy" not in item for item in standard) > 0


def test_records() -> None:
    with EuropeanaServer(records=60, images="http://127.0.0.2:9/pic/{n}.jpg") as server:
        for n, name in enumerate(server.collection.ids):
            item = ask(server, query=f'europeana_id:"{name}"')[1]["items"][0]
            for path in (f"/record/v2{name}.json", f"/record/v2/{name}.json"):
                status, reply = ask(server, path)
                assert (status, reply["object"]["about"]) == (200, name)
            aggregation = reply["object"]["aggregations"][0]
            assert aggregation["edmRights"]["def"] == item["rights"]
            if "edmIsShownBy" in item:
                assert aggregation["edmIsShownBy"] == item["edmIsShownBy"][0] == f"http://127.0.0.2:9/pic/{n}.jpg"
                assert aggregation["webResources"][0]["ebucoreWidth"] >= 1600
            provider = aggregation["edmDataProvider"]["def"][0]
            if provider.startswith("http"):
                labels = {about["about"]: about["prefLabel"]["en"][0] for about in reply["object"]["organizations"]}
                provider = labels[provider]
            assert provider == item["dataProvider"][0]
        status, reply = ask(server, "/record/v2/1/none.json")
        assert (status, reply["success"], reply["error"]) == (404, False, "Invalid record identifier: /1/none")


def test_thumbnails() -> None:
    with EuropeanaServer(records=5) as server:
        path = "/thumbnail/v2/url.json?type=IMAGE&size=w200&uri="
        status, headers, body = get(server, path + quote("https://x/pic/3.jpg", safe=""))
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        with Image.open(io.BytesIO(body)) as picture:
            assert picture.format == "JPEG"
        assert get(server, path + "none")[0] == 404


def test_jsonp() -> None:
    with EuropeanaServer(records=5) as server:
        assert get(server, "/record/v2/search.json?wskey=the-key&query=*&callback=f")[2].startswith(b'f({"apikey"')


def test_the_limit_and_the_errors_of_the_service() -> None:
    faults = Faults(*(Fault("refusal", code=code, at={i}) for i, code in enumerate((404, 500, 429), 1)))
    with EuropeanaServer(records=5, requests_per_second=2, faults=faults) as server:
        found = [ask(server)[0] for _ in range(6)]
        assert found == [404, 500, 429, 200, 200, 429]
        assert [seen.fault for seen in server.log][-1] == "limit"
        assert not faults.unserved()
