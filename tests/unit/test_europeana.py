"""Europeana: one item or record at a time, queries, ids; no server."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.errors import BadItem
from imagelake.lake.tables import table_def, to_table
from imagelake.sources.europeana.objects import record_row as row_of_object
from imagelake.sources.europeana.objects import resource_rows
from imagelake.sources.europeana.service import first_text, natural, record_row

ITEM = {
    "id": "/334/ark_1",
    "link": "https://api.europeana.eu/record/334/ark_1.json?wskey=SECRET",
    "guid": "https://www.europeana.eu/item/334/ark_1?utm_source=api&utm_campaign=SECRET",
    "edmDatasetName": ["334_Ag_FR"],
    "dataProvider": ["Musée"],
    "provider": ["Aggregator"],
    "title": ["Port de Marseille", "Harbour"],
    "dcCreator": ["http://data.europeana.eu/agent/1"],
    "dcCreatorLangAware": {"def": ["http://data.europeana.eu/agent/1"], "en": ["Nadar"]},
    "dcDescriptionLangAware": {"fr": ["Le port"]},
    "rights": ["http://creativecommons.org/licenses/by-sa/4.0/"],
    "country": ["France"],
    "language": ["fr"],
    "edmConcept": ["http://data.europeana.eu/concept/48"],
    "edmConceptPrefLabelLangAware": {"de": ["Fotografie"], "en": ["Photograph", "Photograph"]},
    "edmIsShownBy": ["https://example.org/1.jpg", "https://example.org/2.jpg"],
    "edmPreview": ["https://api.europeana.eu/thumbnail/v2/url.json?uri=x"],
}


def test_an_item_as_a_row() -> None:
    row = record_row(ITEM, "the query")
    raw = json.loads(str(row.pop("raw")))
    assert row == {
        "provider": "europeana",
        "source_id": "/334/ark_1",
        "dataset": "334_Ag_FR",
        "institution": "Musée",
        "aggregator": "Aggregator",
        "title": "Port de Marseille",
        "creator": "Nadar",
        "description": "Le port",
        "rights": "http://creativecommons.org/licenses/by-sa/4.0/",
        "licence": "CC-BY-SA-4.0",
        "reusability": "open",
        "country": "France",
        "language": "fr",
        "tags": ["Photograph"],
        "media_url": "https://example.org/1.jpg",
        "page_url": "https://www.europeana.eu/item/334/ark_1",
        "thumbnail_url": "https://api.europeana.eu/thumbnail/v2/url.json?uri=x",
        "query": "the query",
    }
    assert raw == {**{k: v for k, v in ITEM.items() if k != "link"}, "guid": row["page_url"]}


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": ""}, {"id": []}, {"id": {}}, None, "text", 5, []])
def test_an_item_without_an_id(item: Any) -> None:
    with pytest.raises(BadItem) as bad:
        record_row(item, None)
    assert bad.value.reason == "no_id"


def test_an_item_with_only_an_id() -> None:
    row = record_row({"id": "/1/a"}, None)
    assert row["page_url"] == "https://www.europeana.eu/item/1/a"
    assert row["raw"] == '{"id":"/1/a"}'
    assert {k for k, v in row.items() if v is not None} == {"provider", "source_id", "page_url", "raw"}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)  # the first row waits for Arrow and for the tables' definitions
@given(st.dictionaries(st.sampled_from(sorted(ITEM)), JSON))
def test_fields_of_any_type_make_a_valid_row(fields: dict[str, Any]) -> None:
    row = record_row({**fields, "id": "/1/a"}, None)
    table = to_table(table_def("records"), [{**row, "harvested_at": None, "run_id": "r"}])
    assert table["source_id"].to_pylist() == ["/1/a"]
    json.loads(str(row["raw"]))


def test_half_a_character_is_replaced() -> None:
    row = record_row(json.loads(r'{"id": "/1/a", "title": ["a\ud83dz\u0000"], "guid": "\ud800"}'), None)
    assert row["title"] == "a?z\0"
    assert str(row["raw"]).isascii()


def test_fields_of_other_types() -> None:
    odd = {"id": "/1/a", "title": "lone", "rights": {"def": ["x"]}, "dataProvider": [None, "", "second"], "country": 5}
    row = record_row(odd, None)
    assert [row[name] for name in ("title", "rights", "institution", "country")] == ["lone", "x", "second", "5"]
    assert record_row({"id": "/1/a", "edmConceptLabel": [{"def": "a"}, {"def": "b"}]}, None)["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("7", 7),
        (3.0, 3),
        (0, 0),
        (-1, None),
        (True, None),
        ("x", None),
        (None, None),
        (1e30, None),
        (1.5, None),
    ],
)
def test_natural_numbers(value: Any, number: int | None) -> None:
    assert natural(value) == number
    assert natural(math.nan) is None
    assert natural(2**31, 2**31 - 1) is None


def test_first_text_is_the_first_of_any_shape() -> None:
    assert [first_text(v) for v in (["a", "b"], "a", {"en": ["a"]}, [["", "a"]], [], {}, None, [True])] == [
        *["a"] * 4,
        *[None] * 4,
    ]


# Records

RECORD = {
    "about": "/334/ark_1",
    "edmDatasetName": ["334_Ag_FR"],
    "aggregations": [
        {
            "edmIsShownBy": "https://example.org/1.jpg",
            "edmIsShownAt": "https://example.org/page",
            "edmObject": "https://example.org/small.jpg",
            "hasView": ["https://example.org/3.jpg", "https://example.org/2.jpg"],
            "edmDataProvider": {"def": ["http://data.europeana.eu/organization/1"]},
            "edmProvider": {"def": ["Aggregator"]},
            "edmRights": {"def": ["http://creativecommons.org/publicdomain/mark/1.0/"]},
            "webResources": [
                {"about": "https://example.org/2.jpg"},
                {
                    "about": "https://example.org/1.jpg",
                    "ebucoreHasMimeType": "image/jpeg",
                    "ebucoreFileByteSize": 100,
                    "ebucoreWidth": "60",
                    "ebucoreHeight": -1,
                    "webResourceEdmRights": {"def": ["http://rightsstatements.org/vocab/InC/1.0/"]},
                },
                {"about": "https://example.org/more.pdf"},
                {"nothing": 1},
                "odd",
            ],
        }
    ],
    "organizations": [
        {"about": "http://data.europeana.eu/organization/1", "prefLabel": {"fr": ["Le Musée"], "en": ["The Museum"]}}
    ],
    "agents": [{"about": "http://data.europeana.eu/agent/1", "prefLabel": {"def": ["Nadar"]}}],
    "concepts": [{"about": "x", "prefLabel": {"en": ["Photograph"]}}, {"about": "y"}],
    "europeanaAggregation": {"edmCountry": {"def": ["France"]}, "edmLanguage": {"def": ["fr"]}, "edmPreview": "p"},
    "proxies": [
        {"europeanaProxy": True, "dcTitle": {"en": ["Harbour"]}, "dcCreator": {"def": ["http://data.europeana.eu/agent/2"]}},
        {"europeanaProxy": False, "dcTitle": {"fr": ["Port"]}, "dcCreator": {"def": ["http://data.europeana.eu/agent/1"]}},
    ],
}  # fmt: skip


def test_files_of_a_record() -> None:
    rows = resource_rows(RECORD, "/334/ark_1")
    assert [str(row["url"]).rpartition("/")[2] for row in rows] == ["1.jpg", "3.jpg", "2.jpg", "small.jpg", "more.pdf"]
    assert [row["position"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["is_shown_by"] for row in rows] == [True, False, False, False, False]
    assert rows[0] == {
        "provider": "europeana",
        "source_id": "/334/ark_1",
        "url": "https://example.org/1.jpg",
        "position": 0,
        "is_shown_by": True,
        "mime_type": "image/jpeg",
        "size_bytes": 100,
        "width_px": 60,
        "height_px": None,
        "rights": "http://rightsstatements.org/vocab/InC/1.0/",
        "reusability": "permission",
    }
    assert rows[1]["reusability"] == "open"  # the record's


def test_a_record_without_files() -> None:
    for odd in ({}, {"aggregations": [{}]}, {"aggregations": "x"}, {"aggregations": [{"webResources": 5}]}):
        with pytest.raises(BadItem) as bad:
            resource_rows(odd, "/1/a")
        assert bad.value.reason == "no_web_resources"


def test_a_record_as_a_row() -> None:
    row = row_of_object(RECORD, "{}", "/334/ark_1")
    assert row == {
        "provider": "europeana",
        "source_id": "/334/ark_1",
        "dataset": "334_Ag_FR",
        "institution": "The Museum",
        "aggregator": "Aggregator",
        "title": "Port",
        "creator": "Nadar",
        "description": None,
        "rights": "http://creativecommons.org/publicdomain/mark/1.0/",
        "licence": "PDM-1.0",
        "reusability": "open",
        "country": "France",
        "language": "fr",
        "tags": ["Photograph"],
        "media_url": "https://example.org/1.jpg",
        "page_url": "https://www.europeana.eu/item/334/ark_1",
        "thumbnail_url": "p",
        "raw": "{}",
    }
    assert row_of_object({}, "{}", "/1/a")["title"] is None
