"""imagelake curate fastdup: the protocol with a stand-in for its interpreter, and the real one where there is one."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.cli import main
from imagelake.curate.duplicates.groups import group_members
from imagelake.curate.fastdup.run import Found, fastdup_layer
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.sql import small

REAL = Path(__file__).parents[2] / ".fastdup/bin/python"

# Stands for the interpreter: looks at what it was given, and writes what fastdup would, or says what it says.
STUB = """
import json, os, pathlib, sys
assert sys.argv[1:] == ["-I", sys.argv[2], "job.json"], sys.argv
job = json.loads(pathlib.Path("job.json").read_text())
home = os.environ["HOME"]
assert os.getcwd() == os.path.realpath(home), home
assert os.environ["SENTRY_OPT_OUT"] == os.environ["FASTDUP_PRODUCTION"] == "1"
assert "SECRET" not in os.environ
job["files"] = [] if job["vectors"] else sorted(os.listdir("images"))
pathlib.Path({log!r}).write_text(json.dumps(job))
names = job["names"]
{act}
"""
WRITE = """
work = pathlib.Path("work")
work.mkdir()
def write(name, head, rows):
    (work / f"{{name}}.csv").write_text("".join(",".join(map(str, row)) + "\\n" for row in [head, *rows]))
read = [i for i in range(len(names)) if i not in {unread}]
write("atrain_features.dat", ["index", "filename"], [[i, "images" + names[i]] for i in read])
write("similarity", ["from", "to", "distance"], {pairs})
write("connected_components", ["__id", "component_id", "count"], [[i, i // 3, 0] for i in read])
write("outliers", ["from", "to", "distance"], [[1, 2, 0.3]] if {pairs} else [])
pathlib.Path("version.txt").write_text("9.9")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("fastdup"))


@pytest.fixture
def stub(tmp_path: Path) -> Callable[..., Path]:
    """Makes an interpreter that does something else."""

    def make(act: str) -> Path:
        (tmp_path / "stub.py").write_text(STUB.format(log=str(tmp_path / "job.json"), act=act))
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path / "stub.py"} "$@"\n')
        python.chmod(0o755)
        return python

    return make


def curate(lake: Lake, python: Path, *arguments: str) -> int:
    return main(["curate", "fastdup", "--lake", lake.root, "--python", str(python), *arguments])


def query(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def vectors_of(lake: Lake) -> list[str]:
    return [str(row[0]) for row in query(lake, "select image_id from embeddings where norm > 0 order by image_id")]


def test_pairs_and_groups(
    made: Lake, stub: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "not for others")
    pairs = [(0, 1, 1.000001), (1, 0, 1.0), (1, 2, 0.97), (2, 1, 0.97), (4, 3, 0.98), (5, 6, 0.5), (7, 7, 1.0)]
    assert curate(made, stub(WRITE.format(pairs=pairs, unread=[9])), "-k", "5", "--min-similarity", "0.9") == 0
    job = json.loads((tmp_path / "job.json").read_text())
    names = vectors_of(made)
    assert job["names"] == [f"/{name}.jpg" for name in names]
    assert (job["k"], job["threshold"]) == (5, 0.9)
    found = query(
        made, "select image_id, other_id, round(similarity, 4) from pairs where relation = 'fastdup' order by 1"
    )
    assert found == [(names[0], names[1], 1.0), (names[1], names[2], 0.97), (names[3], names[4], 0.98)]
    groups = query(
        made, "select group_id, list(image_id order by image_id) from groups where relation = 'fastdup' group by 1"
    )
    for keeper, members in groups:
        for member in set(members) - {keeper}:  # type: ignore[call-overload]
            assert tuple(sorted((keeper, member))) in {row[:2] for row in found}, "a direct pair with the keeper"
    assert {row[0] for row in query(made, "select distinct model_id from pairs")} == {
        row[0] for row in query(made, "select distinct model_id from embeddings")
    }
    assert curate(made, stub(WRITE.format(pairs=[], unread=[]))) == 0, "nothing found replaces what was"
    assert query(made, "select (select count(*) from pairs), (select count(*) from groups)") == [(0, 0)]


def test_thumbnails(made: Lake, stub: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert curate(made, stub(WRITE.format(pairs=[(0, 2, 0.99)], unread=[1])), "--images", "--json") == 0
    job = json.loads((tmp_path / "job.json").read_text())
    thumbnails = [str(row[0]) for row in query(made, "select image_id from thumbnails order by 1")]
    assert job["files"] == [f"{name}.jpg" for name in thumbnails]
    assert job["vectors"] is None
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["written"]) == (len(thumbnails), len(thumbnails))
    assert report["details"]["pictures that it could not read"] == "1"
    found = query(made, "select model_id, image_id, other_id from pairs")
    assert found == [("fastdup:9.9", thumbnails[0], thumbnails[2])]


EXPIRED = (
    "print('2027-01-01 00:00:00 [FATAL] This fastdup version is deprecated, please reinstall from pypi'); sys.exit(1)"
)


@pytest.mark.parametrize(
    ("act", "code", "message"),
    [
        (EXPIRED, 5, "has expired, as each of its releases does after about 120 days"),
        ("import fastdup", 5, "fastdup is not installed for"),
        ("print('a'); print('[FATAL] no space left'); raise RuntimeError('x')", 9, "[FATAL] no space left"),
        ("os.kill(os.getpid(), 9)", 9, "fastdup failed (exit code -9): it said nothing"),
        ("", 9, "fastdup failed (exit code 0)"),
        ("os.mkdir('work'); pathlib.Path('version.txt').write_text('1')", 9, "wrote something else than expected"),
    ],
)
def test_what_goes_wrong_is_one_line(
    made: Lake, stub: Callable[..., Path], act: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert curate(made, stub(act)) == code
    told = capsys.readouterr().err
    assert message in told
    assert "`imagelake dedupe`" in told
    assert told.count("\n") == 1


def test_mistakes(made: Lake, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    for subject, arguments, code, message in (
        (made, [], 5, f"fastdup is not installed for {nowhere}: `make fastdup`, or give --python PATH"),
        (made, ["-k", "0"], 2, "-k is at least 1"),
        (made, ["--min-similarity", "2"], 2, "--min-similarity above 0"),
        (made, ["--images", "--model", "x"], 2, "not both"),
        (lake, [], 2, "the lake has no embeddings"),
        (lake, ["--images"], 2, "the lake has no thumbnails"),
    ):
        assert curate(subject, nowhere, *arguments) == code
        assert message in capsys.readouterr().err


@settings(deadline=None)  # the first array of Python lists imports pandas
@given(st.data())
def test_members_have_a_direct_pair_with_their_keeper(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12))
    pairs = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    unique = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]})
    names = [f"{i:02d}" for i in range(count)]
    similarity = np.linspace(1, 0.5, len(unique))
    first, second = (np.array([p[i] for p in unique], np.int64) for i in (0, 1))
    found = Found("1", names, first, second, similarity, {})
    best_first = data.draw(st.permutations([*names, "not seen"]))
    layer = fastdup_layer(found, pa.array(best_first), "m", 0.7)
    members = group_members([layer], len(best_first))
    alike = {(names[a], names[b]): s for (a, b), s in zip(unique, similarity, strict=True) if s >= 0.7}
    for member, keeper, distance in zip(members.member, members.keeper, members.distance, strict=True):
        assert keeper < member
        pair = tuple(sorted((best_first[member], best_first[keeper])))
        assert distance == pytest.approx(1 - alike[pair])  # type: ignore[index]
    loners = set(range(len(best_first))) - {*members.member.tolist(), *members.keeper.tolist()}
    assert not [p for p in alike if {best_first.index(n) for n in p} <= loners], "whoever has a pair is settled"


@pytest.mark.parametrize("what", ["vectors", "thumbnails"])
def test_the_real_one(
    made: Lake, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not REAL.exists():
        pytest.skip("fastdup is not installed: make fastdup")
    for name in ("home", "tmp", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "here")
    options = ["--images"] if what == "thumbnails" else ["--min-similarity", "0.999"]
    code = curate(made, REAL, *options)
    told = capfd.readouterr()
    if code == 5 and "has expired" in told.err:
        pytest.skip(told.err)
    assert code == 0, told.err
    assert told.out.count("\n") == 6, "nothing of its own talk"
    # the two PNG have the same pixels, and so the same vector
    found = query(made, "select image_id, other_id from pairs where similarity > 0.9999")
    assert next(tuple(sorted(row[0])) for row in query(made, "select image_ids from duplicates")) in found
    assert [list((tmp_path / name).iterdir()) for name in ("home", "tmp", "here")] == [[], [], []], "no traces"
