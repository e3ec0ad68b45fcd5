"""Names of photos and groups."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import BadItem, SourceError
from imagelake.sources.flickr.ids import entry_of, from_base58, group_of, read_entries, to_base58


@given(st.integers(1, 10**20))
def test_base58_there_and_back(number: int) -> None:
    assert from_base58(to_base58(number)) == number


def test_base58_of_known_links() -> None:
    assert from_base58("7K2E7d") == 4425073240
    assert from_base58("8SPTwJ") == 5169665786
    with pytest.raises(ValueError, match="substring"):
        from_base58("0OIl")


STATIC = "https://live.staticflickr.com/65535/52931686549_9b203d4894_b.jpg"


@pytest.mark.parametrize(
    ("text", "photo_id", "secret", "server"),
    [
        (" 52931686549 ", "52931686549", None, None),
        ("https://www.flickr.com/photos/drdrang/4425073240/in/set-72157623475203695/", "4425073240", None, None),
        ("flickr.com/photos/192376927@N06/52931686549", "52931686549", None, None),
        ("http://www.flickr.com/photo.gne?id=52931686549", "52931686549", None, None),
        ("https://flic.kr/p/7K2E7d", "4425073240", None, None),
        ("flic.kr/p/8SPTwJ/", "5169665786", None, None),
        (STATIC, "52931686549", "9b203d4894", "65535"),
        ("http://farm6.static.flickr.com/5264/145315660_af6f008008.jpg?zz=1", "145315660", "af6f008008", "5264"),
        ("https://c1.staticflickr.com/6/5264/145315660_af6f008008_z.jpg", "145315660", "af6f008008", "5264"),
        ("https://live.staticflickr.com/65535/52931686549_aaaaaaaaaa_o.png", "52931686549", None, "65535"),
        ("https://live.staticflickr.com/65535/52931686549_aaaaaaaaaa_3k.jpg", "52931686549", None, "65535"),
    ],
)
def test_a_photo_by_its_names(text: str, photo_id: str, secret: str | None, server: str | None) -> None:
    entry = entry_of(text)
    assert (entry.photo_id, entry.secret, entry.server) == (photo_id, secret, server)
    assert entry.media_url == (text if "static" in text else None)


@pytest.mark.parametrize(
    "text",
    ["", "x1", "-5", "https://flic.kr/p/0OIl", "https://flic.kr/g/stemc", "https://example.org/photos/a/1", "1" * 30],
)
def test_what_names_no_photo(text: str) -> None:
    with pytest.raises(BadItem, match="not_a_photo_id"):
        entry_of(text)


@pytest.mark.parametrize(
    ("text", "group", "is_id"),
    [
        ("44176395@N00", "44176395@N00", True),
        ("https://www.flickr.com/groups/44176395@N00/pool/", "44176395@N00", True),
        ("https://flic.kr/g/stemc", "2995418@N23", True),
        ("https://www.flickr.com/groups/leopards/pool/with/1", "https://www.flickr.com/groups/leopards/", False),
    ],
)
def test_a_group_by_its_names(text: str, group: str, is_id: bool) -> None:
    assert group_of(text) == (group, is_id)


@pytest.mark.parametrize("text", ["", "leopards", "https://flic.kr/p/stemc", "https://flic.kr/g/0O", "44176395"])
def test_what_names_no_group(text: str) -> None:
    with pytest.raises(SourceError, match="name a group by its id"):
        group_of(text)


def test_concepts_are_gathered_and_the_better_row_counts(tmp_path: Path) -> None:
    path = tmp_path / "ids.json"
    rows = {
        "object,toys": [
            {"id": "1", "secret": "aa", "server": "1234"},
            {"id": 2, "secret": "bb", "server": 7},
            "https://flic.kr/p/8SPTwJ",
        ],
        "object": [
            {"id": "1", "secret": "cc", "server": "55"},
            {"id": "1", "secret": "aa", "server": "1234"},
            {"x": 1},
        ],
    }
    path.write_text("\ufeff" + json.dumps(rows))
    entries, bad = read_entries(str(path))
    assert [entry.photo_id for entry in entries] == ["1", "2", "5169665786"]
    first = entries[0]
    assert (first.secret, first.server, first.concepts) == ("cc", "55", ["object,toys", "object"])
    assert (first.times, first.placeholders) == (3, 2)
    assert entries[1].server == "7"
    assert [reason.reason for _, reason in bad] == ["not_a_photo_id"]


def test_a_list_has_no_concepts(tmp_path: Path) -> None:
    path = tmp_path / "ids.json"
    path.write_text('[{"id": "1", "secret": "a/../b", "server": "7"}, "2", 3]')
    entries, _ = read_entries(str(path))
    assert [(entry.photo_id, entry.secret, entry.concepts) for entry in entries] == [
        ("1", None, []),
        ("2", None, []),
        ("3", None, []),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n# no\n\n 2 \nhttps://flic.kr/p/8SPTwJ\nnope\n", [("1", None), ("2", None), ("5169665786", None)]),
        ("photo_id,secret,server,label\n1,aa,7,dog\n1,aa,7,cat\n2\n", [("1", "aa"), ("2", None)]),
        ("server\tid\tsecret\n7\t1\taa\n", [("1", "aa")]),
        ("", []),
    ],
)
def test_text_and_csv(tmp_path: Path, text: str, expected: list[tuple[str, str | None]]) -> None:
    path = tmp_path / "ids.csv"
    path.write_text(text)
    entries, bad = read_entries(str(path))
    assert [(entry.photo_id, entry.secret) for entry in entries] == expected
    assert [item for item, _ in bad] == (["flickr:nope"] if "nope" in text else [])
    if "dog" in text:
        assert entries[0].concepts == ["dog", "cat"]


@pytest.mark.parametrize("text", ["{", "[1", '{"a": 1}', '{"a": {"id": "1"}}'])
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ids.json"
    path.write_text(text)
    with pytest.raises(SourceError, match="cannot be read as a list of photos"):
        read_entries(str(path))
    with pytest.raises(SourceError, match="missing"):
        read_entries(str(tmp_path / "missing"))
