"""Random trees of archives in archives: every leaf arrives once, with its bytes, under its own origin."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import py7zr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagelake.sources.archives import ArchiveLimits, archive_kind, expand

KINDS = ("zip", "zip stored", "zip bz2", "zip lzma", "tar", "tar.gz", "tar.bz2", "tar.xz", "7z", "7z bz2", "7z copy")
METHODS = {
    "zip": zipfile.ZIP_DEFLATED,
    "zip stored": zipfile.ZIP_STORED,
    "zip bz2": zipfile.ZIP_BZIP2,
    "zip lzma": zipfile.ZIP_LZMA,
}
FILTERS = {"7z": None, "7z bz2": [{"id": py7zr.FILTER_BZIP2}], "7z copy": [{"id": py7zr.FILTER_COPY}]}
PACK = {"tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress, "tar": bytes}


@dataclass(frozen=True)
class Box:
    """An archive of one kind."""

    kind: str
    members: tuple[tuple[str, "Box | bytes"], ...]


def packed(node: "Box | bytes") -> bytes:
    if isinstance(node, bytes):
        return node
    files = [(name, packed(member)) for name, member in node.members]
    out = io.BytesIO()
    if node.kind in METHODS:
        with zipfile.ZipFile(out, "w", METHODS[node.kind]) as zipped:
            for name, data in files:
                zipped.writestr(name, data)
    elif node.kind in FILTERS:
        with py7zr.SevenZipFile(out, "w", filters=FILTERS[node.kind]) as sevenzip:
            for name, data in files:
                sevenzip.writestr(data, name)
    else:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in files:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return PACK[node.kind](out.getvalue())
    return out.getvalue()


def leaves(origin: str, node: "Box | bytes") -> Iterator[tuple[str, bytes]]:
    if isinstance(node, bytes):
        yield origin, node
    else:
        for name, member in node.members:
            yield from leaves(f"{origin}!{name}", member)


# no component that is clutter, and no bytes that look like an archive
names = st.text("abcäé漢 -!#%", min_size=1, max_size=12).map(lambda s: f"n{s}.jpg") | st.sampled_from(["d/x", "d/e/y"])
contents = st.binary(max_size=300).map(lambda b: b"\xff" + b) | st.sampled_from([0, 1, 40_000]).map(
    lambda n: b"\xff" * n
)


def boxes(depth: int) -> st.SearchStrategy[Box]:
    member = contents if depth == 0 else contents | boxes(depth - 1)
    pairs = st.lists(st.tuples(names, member), max_size=4, unique_by=lambda pair: pair[0])
    trees = st.builds(Box, st.sampled_from(KINDS), pairs.map(tuple))
    # an empty tar is nothing but zeros: a file of zeros, for all that anyone can tell
    return trees.filter(lambda box: box.members or box.kind != "tar")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(boxes(3))
def test_every_leaf_arrives_once(tree: Box) -> None:
    archive = packed(tree)
    kind = archive_kind(archive[:1024])
    assert kind
    expected = list(leaves("a", tree))
    got = list(expand(lambda: io.BytesIO(archive), "a", kind))
    assert [(m.origin, m.data, m.error) for m in got] == [(origin, data, None) for origin, data in expected]
    assert all(m.size_bytes == len(m.data or b"") for m in got)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(boxes(2), st.sets(st.integers(0, 30)))
def test_skipping_some_changes_nothing_for_the_others(tree: Box, known: set[int]) -> None:
    archive = packed(tree)
    expected = list(leaves("a", tree))
    skipped = {origin for number, (origin, _) in enumerate(expected) if number in known}
    kind = archive_kind(archive[:1024])
    assert kind
    got = list(expand(lambda: io.BytesIO(archive), "a", kind, skip=lambda origin, _: origin in skipped))
    assert [(m.origin, m.data) for m in got] == [(o, None if o in skipped else data) for o, data in expected]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example(Box("zip stored", (("na.jpg", Box("zip", (("na.jpg", b"\xff"),))),)), 0.75)  # the inner zip ends the file
@example(Box("tar.gz", ()), 0.0)
@example(Box("zip stored", (("na.jpg", b"\xff"), ("n-.jpg", Box("zip", ())))), 0.5)
@given(boxes(1), st.floats(0, 1, exclude_max=True))  # a share: the size of a compressed archive varies with the clock
def test_a_cut_anywhere_gives_only_right_bytes_and_a_reason(tree: Box, share: float) -> None:
    archive = packed(tree)
    expected = dict(leaves("a", tree))
    cut = int(share * len(archive))
    kind = archive_kind(archive[:1024])
    assert kind
    limits = ArchiveLimits(total_bytes=1 << 24)
    got = {m.origin: m for m in expand(lambda: io.BytesIO(archive[:cut]), "a", kind, limits)}
    wrong = [m.origin for m in got.values() if m.error is None and expected.get(m.origin) != m.data]
    assert wrong == []
    if set(got) < set(expected):
        assert any(m.error for m in got.values()), "something is missing without a reason"
