"""Europeana's queries and ids; no server."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imagelake.errors import BadItem, SourceError, UsageError
from imagelake.sources.europeana.ids import listed_ids, record_id
from imagelake.sources.europeana.queries import (
    Curated,
    Filters,
    distinct,
    filters_of_file,
    prefix_of,
    quoted,
    stable_order,
)

# Queries


def test_the_text_of_a_query_is_its_identity() -> None:
    text = Filters(qf=("COUNTRY:france",), reusability="open").query("cat", qf="a:b").text
    assert json.loads(text) == {
        "media": "true",
        "profile": "standard",
        "qf": ["a:b", "TYPE:IMAGE", "COUNTRY:france"],
        "query": "cat",
        "reusability": "open",
        "sort": "europeana_id",
    }
    assert "media" not in json.loads(Filters(media=False, images=False).query().text)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("random", "random_7,europeana_id"),
        ("random,europeana_id", "random_7,europeana_id"),
        ("random+asc", "random_7 asc,europeana_id"),
        ("random_3", "random_3,europeana_id"),
        ("europeana_id desc", "europeana_id desc"),
        ("timestamp_update+desc, score", "timestamp_update desc,score,europeana_id"),
    ],
)
def test_orders_are_stable(sort: str, order: str) -> None:
    assert stable_order(sort, 7) == order


def test_samples_are_random() -> None:
    assert json.loads(Filters(seed=4).query(quota=10).text)["sort"] == "random_4,europeana_id"


def test_lists_of_queries(tmp_path: Path) -> None:
    file = tmp_path / "q.json"
    for text in ('{"query_list": ["a:1_*", " b "]}', '["a:1_*", "b"]'):
        file.write_text(text)
        assert filters_of_file(str(file)) == ["a:1_*", "b"]
    for text in ('{"other": []}', "[1]", '[""]', "not JSON", '"text"'):
        file.write_text(text)
        with pytest.raises(SourceError, match=r"q\.json: not a list of queries"):
            filters_of_file(str(file))
    with pytest.raises(SourceError, match="none"):
        filters_of_file("none.json")


def test_curated_data_sets(tmp_path: Path) -> None:
    file = tmp_path / "curated.csv"
    file.write_text("dataset_name,size,watermarks\n334_x_y,5,Full\n12_b,7,None\n13_c,7,Some\n14,2,Full\n,,Full\n")
    table = Curated(str(file), ("Full=watermark:400", "None=no_watermark:100"), "watermarks")
    queries, counts = table.queries(Filters())
    assert counts == {"Full": 2, "None": 1, "Some": 1}
    assert [(json.loads(q.text)["qf"][0], q.label, q.quota) for q in queries] == [
        ("edm_datasetName:334_*", "watermark", 400),
        ("edm_datasetName:12_*", "no_watermark", 100),
        ("edm_datasetName:14_*", "watermark", 400),
    ]
    with pytest.raises(SourceError, match="wanted are columns"):
        Curated(str(file), (), "class").queries(Filters())
    for wrong in ("Full", "Full=watermark", "Full=watermark:0", "=a:1"):
        with pytest.raises(UsageError, match="--classes"):
            Curated(str(file), (wrong,), "watermarks").queries(Filters())


def test_a_data_set_of_two_classes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "curated.csv"
    file.write_text("name,watermarks\n334_x,Full\n334_y,Full\n")
    table = Curated(str(file), ("Full=a:2", "None=b:1"), "watermarks")
    assert len(distinct(table.queries(Filters())[0])) == 1
    file.write_text("name,watermarks\n334_x,Full\n334_y,None\n")
    with pytest.raises(UsageError, match=r"334_\* .*labels a and b"):
        distinct(table.queries(Filters())[0])


def test_names_in_queries() -> None:
    assert prefix_of("334_Ag_x") == "edm_datasetName:334_*"
    assert prefix_of("a b:c_d") == r"edm_datasetName:a\ b\:c_*"
    assert quoted('a "b" \\') == r'"a \"b\" \\"'


# Ids


@pytest.mark.parametrize(
    "text",
    [
        "/334/ark_1",
        "334/ark_1",
        " /334/ark_1 ",
        "http://data.europeana.eu/item/334/ark_1",
        "https://www.europeana.eu/en/item/334/ark_1?lang=fr#x",
        "https://www.europeana.eu/item/334/ark_1/",
        "http://www.europeana.eu/portal/record/334/ark_1.html",
        "https://api.europeana.eu/record/v2//334/ark_1.json?wskey=x",
        "[ph]334[ph]ark_1.jpg",
        "images/watermark/[ph]334[ph]ark_1.JPEG",
        "%5Bph%5D334%5Bph%5Dark_1.jpg",
    ],
)
def test_ways_to_write_an_id(text: str) -> None:
    assert record_id(text) == "/334/ark_1"


@pytest.mark.parametrize(
    "text",
    ["", "334", "/334/", "a b/c d", "https://example.org/334/ark_1", "https://noteuropeana.eu/item/334/a", "[ph]3"],
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(BadItem) as bad:
        record_id(text)
    assert bad.value.reason == "bad_id"


def test_lists_of_ids(tmp_path: Path) -> None:
    ids = ["/1/a", "/1/b"]
    (tmp_path / "l.txt").write_text("# list\n/1/a\n\n/1/b\n")
    (tmp_path / "l.csv").write_text("category,europeana_id\nx,/1/a\ny,/1/b\nz,\n")
    (tmp_path / "one.csv").write_text("whatever\n/1/a\n/1/b\n")
    (tmp_path / "l.tsv").write_text("n\tid\n1\t/1/a\n2\t/1/b\n")
    (tmp_path / "l.json").write_text('["/1/a", "/1/b"]')
    (tmp_path / "o.json").write_text('[{"id": "/1/a", "n": 1}, {"id": "/1/b", "n": 2}]')
    pq.write_table(pa.table({"n": [1, 2], "europeana_id": ids}), tmp_path / "l.parquet")
    for name in ("l.txt", "l.csv", "one.csv", "l.tsv", "l.json", "o.json", "l.parquet"):
        assert list(listed_ids(str(tmp_path / name))) == ids, name
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.parquet").write_text("PAR")
    for name in ("no.csv", "bad.json", "bad.parquet", "missing.txt"):
        with pytest.raises(SourceError, match=name):
            list(listed_ids(str(tmp_path / name)))
