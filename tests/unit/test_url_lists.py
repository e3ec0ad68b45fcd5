"""Lists of addresses: every kind of file, its columns, and lines that cannot be used."""

import gzip
import io
import json
import math
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import BadItem, SourceError
from imagelake.sources import list_rows
from imagelake.sources.list_rows import Line, lines_of
from imagelake.sources.url_lists import Columns, _json, _record, look_into

A, B = "https://a.example/1.jpg", "https://b.example/2.jpg"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    def make(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return make


def rows(source: str) -> list[tuple[int, object]]:
    return [(n, row.reason if isinstance(row, BadItem) else row) for n, row in lines_of(source)]


Write = Callable[[str, str | bytes], str]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", f"# two\n{A}\r\n\n  {B}\n", [(2, {"url": A}), (4, {"url": B})]),
        ("a.csv", f"URL,n\n{A},1\n\n{B},2\n", [(2, {"URL": A, "n": "1"}), (4, {"URL": B, "n": "2"})]),
        ("a.tsv", f"url\tn\n{A}\tx,y\n", [(2, {"url": A, "n": "x,y"})]),
        ("a.csv", f"{A}\n{B}", [(1, {"url": A}), (2, {"url": B})]),
        ("a.tsv", f"a dog\t{A}\n", [(1, {"column1": "a dog", "column2": A})]),
        ("a.csv", f'n,url\n"two\nlines",{A}\n3,{B}\n', [(2, {"n": "two\nlines", "url": A}), (4, {"n": "3", "url": B})]),
        ("a.csv", f"url,n\n{A}\n{A},1,2\n", [(2, {"url": A}), (3, "bad_line")]),
        ("a.csv", f"url,n,n\n{A},1,2\n", [(2, {"url": A, "n": "1", "n#2": "2"})]),
        ("a.csv", b"\xef\xbb\xbfurl,n\n" + A.encode() + b",caf\xe9\n", [(2, {"url": A, "n": "caf\ufffd"})]),
        ("a.jsonl", f'{{"url":"{A}","n":[1]}}\n\n"{B}"\n', [(1, {"url": A, "n": [1]}), (3, {"url": B})]),
        ("a.ndjson", '{"url": \n[1]\nnull\n' + "[" * 100_000, [(n, "bad_line") for n in (1, 2, 3, 4)]),
        ("a.json", f'\n[ "{A}",\n {{"url": "{B}", "n": 2.5}} ]\n', [(1, {"url": A}), (2, {"url": B, "n": 2.5})]),
        ("a.json", "[7]", [(1, "bad_line")]),
        ("a.json", f'{{"url": "{A}"}}\n{{\n"url": "{B}"}}', [(1, {"url": A}), (2, {"url": B})]),
        ("a.json", "[]", []),
        ("a.json", "", []),
        ("a.csv", "", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_kind_of_list(
    write: Write, name: str, content: str | bytes, expected: list[tuple[int, object]], ending: str
) -> None:
    assert rows(write(name + ending, content)) == expected


@given(
    st.lists(st.one_of(st.text(max_size=30), st.dictionaries(st.text(max_size=3), st.integers() | st.text()))),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
)
def test_a_json_list_is_the_same_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, items: list[object], piece: int, indent: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.json"
    path.write_text(json.dumps(items, indent=indent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_rows, "_CHUNK", piece)
        assert list(lines_of(str(path))) == [
            Line(n, {"url": item} if isinstance(item, str) else item) for n, item in enumerate(items, 1)
        ]


def test_a_broken_item_does_not_read_the_rest_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_rows, "_CHUNK", 10)
    monkeypatch.setattr(list_rows, "_LARGEST_ITEM", 100)
    text = io.StringIO('["one", "two", {"url" ' + "x" * 1_000)
    values = list_rows._json_values(text)
    assert [next(values), next(values)] == ["one", "two"]
    with pytest.raises(ValueError, match="behind item 2"):
        next(values)
    assert text.tell() < 200


def test_parquet_keeps_types_and_leaves_binary_out(tmp_path: Path) -> None:
    moment = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
    table = pa.table(
        {
            "image_url": [A, None],
            "bytes": [b"\xff" * 100, None],
            "sha256": pa.array([bytes(range(32)), None], pa.binary(32)),
            "size": [3, 4],
            "score": [0.5, math.nan],
            "tags": [["a", "b"], []],
            "at": pa.array([moment, None], pa.timestamp("ns", "UTC")),
            "price": [Decimal("1.50"), None],
            "nested": [{"thumb": b"\0" * 99, "tag": b"\x01\x02"}, None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    each = look_into(str(tmp_path / "a.parquet"), Columns())
    assert each.columns == Columns(url="image_url", sha256="sha256")
    first, second = (row for _, row in lines_of(each.source))
    assert "bytes" not in first
    record = _record(each, first)
    assert record["sha256"] == bytes(range(32)).hex()
    raw = json.loads(str(record["raw"]))
    assert raw["nested"] == {"thumb": None, "tag": "0102"}
    assert (raw["size"], raw["score"], raw["tags"], raw["price"]) == (3, 0.5, ["a", "b"], "1.50")
    assert raw["at"] == "2024-02-03T04:05:06+00:00"
    assert json.loads(_json({k: v for k, v in second.items() if k != "at"}))["score"] is None
    with pytest.raises(BadItem, match="no address"):
        _record(each, second)


def test_text_of_json_is_valid_wherever_it_goes() -> None:
    raw = _json({"title": "\ud83d x \0 é", "n": [math.inf, {"m": math.nan}]})
    assert json.loads(raw) == {"title": "? x \0 é", "n": [None, {"m": None}]}


@pytest.mark.parametrize(
    ("header", "line", "wanted", "found"),
    [
        ("id,URL", f"1,{A}", Columns(), "URL"),
        ("image_url,Url", f"x,{A}", Columns(), "Url"),
        ("link,media_url", f"x,{A}", Columns(), "media_url"),
        ("whatever", "x", Columns(), "whatever"),
        ("page,picture", f"x,{A}", Columns(), "picture"),
        ("page,Picture", f"{B},{A}", Columns(url="picture"), "Picture"),
        ("picture,Picture", f"{B},{A}", Columns(url="Picture"), "Picture"),
    ],
)
def test_the_column_of_addresses(write: Write, header: str, line: str, wanted: Columns, found: str) -> None:
    assert look_into(write("a.csv", f"{header}\n{line}\n"), wanted).columns.url == found


@pytest.mark.parametrize(
    ("name", "content", "wanted", "message"),
    [
        ("a.csv", "page,picture\nx,y\n", Columns(), "Name it with --url-col: page, picture"),
        ("a.csv", f"page,picture\n{A},{B}\n", Columns(), "--url-col"),
        ("a.csv", f"url,n\n{A},1\n", Columns(url="adress"), "no column 'adress', only url, n"),
        ("a.csv", f"url,n\n{A},1\n", Columns(sha256="hash"), "no column 'hash'"),
        ("a.csv", f"url,n\n{A},1\n", Columns(id="key"), "no column 'key'"),
        ("a.jsonl", "{\n", Columns(), "lines that cannot be read"),
        ("a.txt", "\n# nothing\n", Columns(), "no lines"),
        ("a.csv", "url,n\n", Columns(), "no lines"),
        ("a.json", "[]", Columns(), "no lines"),
        ("a.json", '["x", {"url"', Columns(), "cut short, behind item 1"),
        ("a.json", "[" * 100_000, Columns(), "cannot be read"),
        ("a.parquet", b"PAR1 not really", Columns(), "cannot be read"),
        ("a.xlsx", b"PK", Columns(), "not a list"),
    ],
)
def test_lists_that_are_refused_in_one_line(
    write: Write, name: str, content: str | bytes, wanted: Columns, message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        look_into(write(name, content), wanted)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lists_that_are_missing_or_cut_short(write: Write, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        look_into(str(tmp_path / "none.csv"), Columns())
    (tmp_path / "plain.csv.gz").write_bytes(b"url\n" + A.encode())
    with pytest.raises(SourceError, match="cannot be read"):
        look_into(str(tmp_path / "plain.csv.gz"), Columns())
    whole = gzip.compress(b"".join(b"%s?%d\n" % (A.encode(), i) for i in range(20_000)))
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    lines = lines_of(str(cut))
    assert next(lines) == Line(1, {"url": f"{A}?0"})
    with pytest.raises(SourceError, match="cannot be read"):
        list(lines)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "no_address"),
        (None, "no_address"),
        (math.nan, "no_address"),
        (7, "bad_url"),
        ("photos/1.jpg", "not_http"),
        ("/mnt/photos/1.jpg", "not_http"),
        ("C:\\photos\\1.jpg", "not_http"),
        ("file:///mnt/1.jpg", "not_http"),
        ("s3://bucket/1.jpg", "not_http"),
        ("ftp://a.example/1.jpg", "bad_scheme"),
        ("data:image/png;base64,AAAA", "bad_scheme"),
        ("https://", "bad_url"),
        ("https://user:secret@a.example/1.jpg", "bad_url"),
        ("https://a.example/caf\ufffd.jpg", "bad_url"),
    ],
)
def test_addresses_that_are_none(write: Write, address: object, reason: str) -> None:
    each = look_into(write("a.txt", A), Columns())
    with pytest.raises(BadItem) as caught:
        _record(each, {"url": address})
    assert caught.value.reason == reason
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet", "txt"])
def test_a_long_list_is_not_held_in_memory(tmp_path: Path, ending: str) -> None:
    addresses = [f"{A}?{i:0100d}" for i in range(60_000)]
    path = tmp_path / f"long.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table({"url": addresses}), path)
    elif ending == "json":
        path.write_text(json.dumps(addresses))
    else:
        path.write_text(
            "url\n" * (ending == "csv") + "".join(f'"{a}"\n' if ending == "jsonl" else f"{a}\n" for a in addresses)
        )
    tracemalloc.start()
    try:
        assert sum(1 for _ in lines_of(str(path))) == len(addresses)
        assert tracemalloc.get_traced_memory()[1] < 6_000_000  # the addresses alone are 10 million bytes
    finally:
        tracemalloc.stop()


def test_what_a_record_holds(write: Write) -> None:
    columns = Columns(id="n", caption="alt", sha256="digest", licence="lic", rights="terms")
    source = write("some list.csv", "link,n,alt,digest,lic,terms,extra\n" + f"{A},7.0,a\0b,{'AB' * 32},x,y,z\n")
    each = look_into(source, columns)
    row = {"link": f" {A} ", "n": 7.0, "alt": " a\0b ", "digest": "AB" * 32, "extra": [1, {"x": None}]}
    record = _record(each, {**row, "lic": "http://creativecommons.org/licenses/by-sa/4.0/", "terms": "ask"})
    assert (record["source_id"], record["media_url"], record["title"]) == ("7", A, "ab")
    assert (record["dataset"], record["query"], record["sha256"]) == ("some list.csv", source, "ab" * 32)
    assert (record["licence"], record["reusability"], record["rights"]) == ("CC-BY-SA-4.0", "open", "ask")
    assert json.loads(str(record["raw"]))["extra"] == [1, {"x": None}]
    plain = _record(each, {**row, "lic": "house rules"})
    assert (plain["licence"], plain["reusability"], plain["rights"]) == ("house rules", None, None)
    stated = _record(each, {**row, "terms": "http://rightsstatements.org/vocab/InC/1.0/"})
    assert (stated["licence"], stated["reusability"]) == ("InC-1.0", "permission")
    for bad, reason in (({"n": None}, "no_id"), ({"digest": "abc"}, "bad_sha256")):
        with pytest.raises(BadItem) as caught:
            _record(each, {**row, **bad})
        assert caught.value.reason == reason
