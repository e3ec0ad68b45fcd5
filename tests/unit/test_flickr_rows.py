"""Photos as rows."""

import json
from typing import Any

import pytest

from imagelake.errors import UsageError
from imagelake.sources.flickr.collect import Wanted
from imagelake.sources.flickr.rows import SIZES, extras, media_url, record

PHOTO: dict[str, Any] = {"id": "55", "secret": "ab", "server": "7", "owner": "1@N02"}
BASE = "https://live.staticflickr.com/7/55_ab"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("b", "_b"), ("none", ""), ("q", "_q"), ("k", "_b"), ("o", "_b"), ("6k", "_b"), ("z", "_z"), ("s", "_s")],
)
def test_an_address_is_built_where_the_secret_allows(size: str, expected: str) -> None:
    assert media_url(PHOTO, size) == f"{BASE}{expected}.jpg"


def test_what_the_api_told_is_preferred_and_the_next_smaller_taken() -> None:
    told = {**PHOTO, "url_m": "M", "url_c": "C", "url_k": "K"}
    assert [media_url(told, size) for size in ("b", "k", "o", "c", "none")] == ["C", "K", "K", "C", "M"]
    assert media_url({**PHOTO, "url_o": "O"}, "b") == "O"
    assert media_url({**PHOTO, "media_url": "given", "url_c": "C"}, "b") == "given"
    assert media_url({"id": "55"}, "b") is None


def test_the_original_by_its_own_secret() -> None:
    info = {**PHOTO, "originalsecret": "zz", "originalformat": "png"}
    assert media_url(info, "o") == "https://live.staticflickr.com/7/55_zz_o.png"
    assert media_url(info, "b") == f"{BASE}_b.jpg"


@pytest.mark.parametrize("size", SIZES)
def test_the_wanted_size_and_a_small_one_are_asked_for(size: str) -> None:
    names = extras(size).split(",")
    assert SIZES[size] in names
    assert {"license", "media", "tags", "url_m", "url_o"} <= set(names)
    assert len(names) == len(set(names))
    wanted = list(SIZES).index(size)
    assert all(
        list(SIZES.values()).index(name) <= wanted
        for name in names
        if name[:4] == "url_" and name not in {"url_m", "url_o"}
    )


@pytest.mark.parametrize(
    ("number", "rights", "licence", "reusability"),
    [
        ("0", "All Rights Reserved", "ARR", "permission"),
        (5, "https://creativecommons.org/licenses/by-sa/2.0/", "CC-BY-SA-2.0", "open"),
        ("2", "https://creativecommons.org/licenses/by-nc/2.0/", "CC-BY-NC-2.0", "restricted"),
        (12, "https://creativecommons.org/licenses/by-nd/4.0/", "CC-BY-ND-4.0", "restricted"),
        (None, None, None, None),
    ],
)
def test_the_licence(number: object, rights: str | None, licence: str | None, reusability: str | None) -> None:
    row = record({**PHOTO, "license": number}, rights, "b", {})
    assert (row["rights"], row["licence"], row["reusability"]) == (rights, licence, reusability)


def test_a_row_of_a_list_and_of_getinfo() -> None:
    listed = {**PHOTO, "title": "T", "ownername": "Ann", "tags": "a b", "description": {"_content": " d "}}
    info = {
        **PHOTO,
        "owner": {"nsid": "1@N02", "username": "Ann"},
        "title": {"_content": "T"},
        "description": {"_content": "d"},
        "tags": {"tag": [{"raw": "a"}, {"_content": "b"}]},
    }
    rows = [record(photo, None, "b", {"photo": 1}) for photo in (listed, info)]
    assert rows[0] == rows[1]
    assert rows[0] == {
        "provider": "flickr", "source_id": "55", "title": "T", "creator": "Ann", "description": "d", "rights": None,
        "licence": None, "reusability": None, "tags": ["a", "b"], "media_url": f"{BASE}_b.jpg",
        "page_url": "https://www.flickr.com/photos/1@N02/55", "thumbnail_url": f"{BASE}_m.jpg", "raw": '{"photo":1}',
    }  # fmt: skip


def test_texts_that_utf8_cannot_hold_are_made_so() -> None:
    row = record({"id": "1", "title": "a\ud800\0", "tags": "b\udfff"}, None, "b", {"x": "\ud800é\0"})
    assert json.loads(str(row["raw"])) == {"x": "?é\0"}
    assert "\0" not in str(row["raw"])
    for value in (row["title"], *(row["tags"] if isinstance(row["tags"], list) else [])):
        assert "\0" not in value.encode().decode()
    assert row["page_url"] == "https://www.flickr.com/photo.gne?id=1"


def test_wanted_things_that_contradict() -> None:
    with pytest.raises(UsageError, match="--limit"):
        Wanted(limit=0)
    with pytest.raises(UsageError, match="--metadata-only"):
        Wanted(exif=False, required=("ISO",))


def test_the_query_says_what_shapes_the_rows() -> None:
    assert json.loads(Wanted(label="dog").query({"text": "é", "tags": None})) == {
        "text": "é", "size": "b", "exif": True, "task": "concept", "label": "dog",
    }  # fmt: skip
    assert Wanted(limit=5).query({}) == Wanted(task="x").query({}) == Wanted(restart=True).query({})
