"""`imagelake harvest urls`: lists in, records, labels and rejects out."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagelake.command import run_job
from imagelake.errors import SourceError, UsageError
from imagelake.jobs import harvest_urls
from imagelake.jobs.harvest_urls import Config
from imagelake.lake.checks import run_checks
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from imagelake.sources import url_lists


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_lists, "_LINES", 7)


def run(lake: Lake, *sources: object, **options: object) -> RunReport:
    config = Config(tuple(map(str, sources)), lake.root, quiet=True, **options)  # type: ignore[arg-type]
    return harvest_urls.run(config, lake)


def rows(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def url(i: int) -> str:
    return f"https://host{i % 3}.example/{i}.jpg"


def sums(report: RunReport) -> tuple[int, int, int, int]:
    return report.read, report.written, report.already_present, report.rejected


def broken(lake: Lake) -> list[str]:
    return [finding.name for finding in run_checks(lake) if not finding.passed]


def test_lines_become_records_or_rejects_and_repeats_are_counted(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "list.csv"
    lines = [f"{url(i)},{i},thing {i}" for i in range(30)]
    lines[4:4] = [",1,empty", "photos/1.jpg,1,a path", "https:///x,1,bad"]
    lines += [lines[0], lines[20], lines[0]]
    source.write_text("image_url,Size,alt\n" + "\n".join(lines) + "\n")
    report = run(lake, source, source, caption_col="ALT")
    assert sums(report) == (36, 30, 3, 3)
    assert report.details == {"listed more than once": 3}
    [record] = rows(lake, "select provider, source_id, media_url, dataset, query from records where title = 'thing 2'")
    assert record == ("urls", url(2), url(2), "list.csv", str(source))
    [(raw,)] = rows(lake, "select raw from records where title = 'thing 2'")
    assert json.loads(str(raw)) == {"image_url": url(2), "Size": "2", "alt": "thing 2"}
    assert rows(lake, "select job, item, stage, reason from failures order by item") == [
        ("harvest urls", f"{source}:6", "harvest", "no_address"),
        ("harvest urls", f"{source}:7", "harvest", "not_http"),
        ("harvest urls", f"{source}:8", "harvest", "bad_url"),
    ]
    assert "imagelake ingest" in str(rows(lake, "select message from failures where reason = 'not_http'"))
    assert broken(lake) == []


def test_a_second_run_writes_nothing_unless_asked(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "list.txt"
    source.write_text("\n".join([*map(url, range(20)), "nothing"]))
    assert sums(run(lake, source)) == (21, 20, 0, 1)
    again = run(lake, source)
    assert sums(again) == (21, 0, 21, 0)
    assert again.details == {"rejected by earlier runs and not reported again (--retry-failed)": 1}
    assert sums(run(lake, source, retry_failed=True)) == (21, 0, 20, 1)
    with source.open("a") as file:
        file.write("\n" + url(99))
    assert sums(run(lake, source)) == (22, 1, 21, 0)
    assert rows(lake, "select count(*), count(distinct source_id) from records") == [(21, 21)]
    assert broken(lake) == []


def test_ids_of_a_column_are_the_key(lake: Lake, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.json"
    one.write_text("".join(json.dumps({"url": url(i % 5), "key": i}) + "\n" for i in range(10)))
    two.write_text(json.dumps([{"link": url(50 + i), "KEY": str(i)} for i in range(8, 12)]))
    report = run(lake, one, two, id_col="key")
    assert sums(report) == (14, 12, 2, 0)
    assert report.details == {"listed more than once": 2}
    assert rows(lake, "select source_id, media_url from records where source_id in ('3', '9', '11') order by 1") == [
        ("11", url(61)),
        ("3", url(3)),
        ("9", url(4)),
    ]
    assert rows(lake, "select dataset, count(*) from records group by all order by 1") == [
        ("one.jsonl", 10),
        ("two.json", 2),
    ]


def test_labels_of_new_and_of_known_records(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "list.jsonl"
    source.write_text("".join(json.dumps({"url": url(i % 25), "kind": f"k{i % 2}"}) + "\n" for i in range(50)))
    assert sums(run(lake, source, label_col="kind", task="animal")) == (50, 25, 25, 0)
    labels = "select count(*), count(distinct source_id), count(distinct label), min(task) from record_labels"
    assert rows(lake, labels) == [(50, 25, 2, "animal")]
    source.write_text("".join(json.dumps({"url": url(i), "kind": ["k0", "new", None, 3]}) + "\n" for i in range(2)))
    assert sums(run(lake, source, label_col="kind", task="animal")) == (2, 0, 2, 0)
    assert rows(lake, "select source_id, label from record_labels where label not in ('k0', 'k1') order by all") == [
        (url(0), "3"),
        (url(0), "new"),
        (url(1), "3"),
        (url(1), "new"),
    ]
    assert broken(lake) == []


@pytest.mark.parametrize("lines", [7, 3_000])
def test_a_label_that_is_said_again_is_written_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    """Said again on the same page, on one that is written with it, and on one that is written later."""
    monkeypatch.setattr(url_lists, "_LINES", lines)
    source = tmp_path / "list.jsonl"
    numbers = [*range(20), 3, *range(20), *range(6_000), *range(6_000)] if lines > 7 else [*range(20), 3, *range(20)]
    source.write_text("".join(json.dumps({"url": url(i), "kind": "k"}) + "\n" for i in numbers))
    distinct = len(set(numbers))
    for new in (distinct, 0):
        report = run(lake, source, label_col="kind", task="t")
        assert sums(report) == (len(numbers), new, len(numbers) - new, 0)
        assert rows(lake, "select count(*), count(distinct source_id) from record_labels") == [(distinct, distinct)]


def test_every_list_is_looked_into_before_anything_is_written(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(url(1))
    with pytest.raises(SourceError, match="no such file"):
        run(lake, tmp_path / "good.txt", tmp_path / "missing.txt")
    assert rows(lake, "select count(*) from runs") == [(0,)]
    with pytest.raises(UsageError, match="--task"):
        run(lake, tmp_path / "good.txt", label_col="kind")


def test_a_list_that_breaks_off_keeps_what_came_before(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_lists, "_LINES", 1_000)
    whole = gzip.compress("\n".join(map(url, range(20_000))).encode())
    (tmp_path / "cut.txt.gz").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(SourceError, match="cannot be read"):
        run(lake, tmp_path / "cut.txt.gz")
    [(before,)] = rows(lake, "select count(*) from records")
    assert isinstance(before, int)
    assert 5_000 < before < 20_000
    (tmp_path / "cut.txt.gz").write_bytes(whole)
    assert sums(run(lake, tmp_path / "cut.txt.gz")) == (20_000, 20_000 - before, before, 0)
    assert rows(lake, "select status from latest_runs order by started_at") == [("failed",), ("succeeded",)]


@pytest.fixture
def s3_list(s3: str) -> Iterator[str]:
    import boto3

    client = boto3.client("s3")
    text = "url\n" + "\n".join(map(url, range(10)))
    client.put_object(Bucket=s3.removeprefix("s3://"), Key="lists/a.csv.gz", Body=gzip.compress(text.encode()))
    yield f"{s3}/lists/a.csv.gz"
    client.close()


def test_a_list_in_an_object_store(lake: Lake, s3_list: str) -> None:
    assert sums(run(lake, s3_list)) == (10, 10, 0, 0)
    assert rows(lake, "select distinct dataset, query from records") == [("a.csv.gz", s3_list)]
    with pytest.raises(SourceError, match="no such file"):
        run(lake, s3_list.replace("a.csv", "b.csv"))


def test_the_command(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.tsv").write_text(f"page\tpicture\n{url(1)}\t{url(2)}\n")
    arguments = ["--lake", lake.root, str(tmp_path / "list.tsv"), "--quiet"]
    assert run_job(harvest_urls, arguments, "imagelake harvest urls") == 4
    assert "which column holds the addresses? Name it with --url-col: page, picture" in capsys.readouterr().err
    assert run_job(harvest_urls, [*arguments, "--url-col", "picture", "--json"], "imagelake harvest urls") == 0
    assert json.loads(capsys.readouterr().out)["written"] == 1
