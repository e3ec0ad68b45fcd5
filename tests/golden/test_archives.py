"""The archive of the tagging tools: 16 pictures and a zip with four of them again under other names."""

import hashlib
import os
from pathlib import Path

import pytest

from imagelake.sources.archives import HEAD_BYTES, Member, archive_kind, expand

CORPUS = os.environ.get("IMAGELAKE_CORPUS")
pytestmark = pytest.mark.skipif(not CORPUS, reason="IMAGELAKE_CORPUS is not set")


def members() -> list[Member]:
    path = Path(CORPUS or "") / "tagging/subset3.zip"
    kind = archive_kind(path.read_bytes()[:HEAD_BYTES])
    assert kind == "zip"
    return list(expand(lambda: path.open("rb"), "subset3.zip", kind))


def test_twenty_members_of_sixteen_contents() -> None:
    found = members()
    assert [m.error for m in found] == [None] * 20
    assert len({m.origin for m in found}) == 20
    assert len({hashlib.sha256(m.data or b"").hexdigest() for m in found}) == 16
    nested = [m for m in found if "!subset3/subset3_subzip1.zip!" in m.origin]
    assert sorted(m.origin.rpartition("!")[2] for m in nested) == [
        "10_zip.jpg",
        "11_zip.jpg",
        "12_zip.jpg",
        "9_zip.jpg",
    ]


def test_the_nested_four_are_the_bytes_of_their_namesakes() -> None:
    by_origin = {m.origin: m.data for m in members()}
    for number in (9, 10, 11, 12):
        original = by_origin[f"subset3.zip!subset3/not-pixel-art-real-photo/{number}.jpg"]
        assert original
        assert by_origin[f"subset3.zip!subset3/subset3_subzip1.zip!{number}_zip.jpg"] == original
