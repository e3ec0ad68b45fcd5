"""Samples and labels of Europeana: quotas, negatives, curated data sets."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagelake.lake.lake import Lake, create_lake
from tests.jobs.europeana import KEY, ask, ids, labels
from tests.servers.europeana import EuropeanaServer


@pytest.fixture
def server() -> Iterator[EuropeanaServer]:
    with EuropeanaServer(records=730, key=KEY) as running:
        yield running


def _numbers(server: EuropeanaServer) -> dict[str, int]:
    """Number of records by the first part of the names of data sets."""
    found: dict[str, int] = {}
    for name in server.collection.ids:
        found[name.split("/")[1]] = found.get(name.split("/")[1], 0) + 1
    return found


@pytest.fixture
def query_list(tmp_path: Path, server: EuropeanaServer) -> tuple[str, dict[str, int]]:
    """A file of queries, for data sets of every size, and their sizes."""
    sizes = {code: n for code, n in _numbers(server).items() if n < 300}
    chosen = dict(sorted(sizes.items(), key=lambda item: item[1])[::4])
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"query_list": [f"edm_datasetName:{code}_*" for code in chosen]}))
    return str(file), chosen


def test_so_many_new_records_of_each_query(
    lake: Lake, server: EuropeanaServer, query_list: tuple[str, dict[str, int]]
) -> None:
    path, sizes = query_list
    largest = max(sizes, key=sizes.__getitem__)
    ask(lake, server, f"edm_datasetName:{largest}_*", limit=15)
    known = set(ids(lake))
    assert len(known) == 15
    assert sizes[largest] > 45
    options: dict[str, Any] = {"queries": path, "per_dataset": 20, "rows": 12, "task": "watermark", "label": "yes"}
    report = ask(lake, server, **options)
    expected = {code: min(20, n) for code, n in sizes.items()}
    assert report.written == sum(expected.values())
    new = [name.split("/")[1] for name in set(ids(lake)) - known]
    assert {code: new.count(code) for code in expected} == expected
    found = labels(lake)["yes"]
    assert set(ids(lake)) - known <= found <= set(ids(lake))
    before = len(server.log)
    small = [code for code, n in sizes.items() if n < 20]  # these were read to their end and are looked through again
    again = ask(lake, server, **options)
    assert again.written == 0
    assert all(any(code in seen.get("qf") for code in small) for seen in server.log[before:])
    more = ask(lake, server, **{**options, "per_dataset": 25})
    assert more.written == sum(min(5, n - 20) for n in sizes.values() if n > 20)
    assert ask(lake, server, **{**options, "per_dataset": 3}, restart=True).written == sum(
        min(3, n - 25 - 15 * (code == largest)) for code, n in sizes.items() if n > 25
    )


def test_as_many_negatives_as_positives(
    lake: Lake, server: EuropeanaServer, query_list: tuple[str, dict[str, int]]
) -> None:
    options: dict[str, Any] = {"queries": query_list[0], "per_dataset": 20, "rows": 30, "task": "watermark"}
    options |= {"label": "watermark", "balanced_negatives": "no_watermark"}
    ask(lake, server, "*", limit=300)  # records that are known have no label yet and may become negatives
    report = ask(lake, server, **options)
    found = labels(lake)
    assert len(found["watermark"]) == len(found["no_watermark"]) > 20
    assert not found["watermark"] & found["no_watermark"]
    assert report.details["queries"] == len(query_list[1]) + 1
    negative = next(seen for seen in server.log if "random" in seen.get("sort") and "qf" not in seen.query)
    assert negative.get("query") == "*"
    ask(lake, server, **{**options, "per_dataset": 30})
    found = labels(lake)
    assert len(found["watermark"]) == len(found["no_watermark"])
    limited = create_lake(lake.root + "2")
    ask(limited, server, **options, limit=31)
    assert {label: len(names) for label, names in labels(limited).items()} == {"watermark": 16, "no_watermark": 15}


def test_curated_data_sets(lake: Lake, server: EuropeanaServer, tmp_path: Path) -> None:
    kinds = ("Full", "None", "Some")
    table = [(dataset.name, kinds[k % 3]) for k, dataset in enumerate(server.collection.datasets)]
    with (tmp_path / "curated.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("dataset_name", "watermarks"), *table])
    report = ask(
        lake,
        server,
        datasets=str(tmp_path / "curated.csv"),
        task="watermark",
        images_only=True,
        media=True,
        concurrency=1,
    )
    found = labels(lake)
    classes = {name.partition("_")[0]: kind for name, kind in table}
    for label, kind in (("watermark", "Full"), ("no_watermark", "None")):
        assert {classes[name.split("/")[1]] for name in found[label]} == {kind}
    assert report.written == len(found["watermark"]) + len(found["no_watermark"])
    assert report.details["data sets by class"] == {"Full": 7, "None": 7, "Some": 6}
    few = create_lake(str(tmp_path / "few"))
    ask(few, server, datasets=str(tmp_path / "curated.csv"), task="watermark", classes=("Some=maybe:2",))
    assert len(labels(few)["maybe"]) == 12
    assert set(labels(few)) == {"maybe"}
