"""imagelake dataset create, show, diff: leak-free splits, versions, and one clear line for every mistake."""

import csv
import io
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from imagelake.cli import main
from imagelake.datasets import versions
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.jobs.datasets import NOW, create, created, fill, images, label, refused, rows

Capture = pytest.CaptureFixture[str]


def splits(lake: Lake, version: int = 1) -> dict[str, str]:
    return {image_id: row["split"] for image_id, row in rows(lake, version=version).items()}


def animals(lake: Lake, count: int) -> list[str]:
    ids = images(lake, count)
    label(lake, {i: ("cat", "dog", "dog")[n % 3] for n, i in enumerate(ids)})
    return ids


def test_create_writes_what_was_asked_for(lake: Lake, capsys: Capture) -> None:
    ids = animals(lake, 300)
    report = created(lake, capsys, "--task", "animal", "--seed", 7)
    assert (report["read"], report["written"], report["rejected"]) == (300, 300, 0)
    assert report["details"]["data set"] == "set@1"
    assert "dedupe" in report["details"]["duplicates"]
    made = rows(lake)
    assert set(made) == set(ids)
    assert Counter((row["split"], *row["labels"]) for row in made.values()) == {
        ("train", "cat"): 70,
        ("val", "cat"): 10,
        ("test", "cat"): 20,
        ("train", "dog"): 140,
        ("val", "dog"): 20,
        ("test", "dog"): 40,
    }
    with Session(lake) as session:
        [row] = session.arrow("from datasets").to_pylist(maps_as_pydicts="strict")
    assert row["splits"] == {"train": 0.7, "val": 0.1, "test": 0.2}
    assert (row["classes"], row["images"], row["seed"], row["task"]) == (["cat", "dog"], 300, 7, "animal")
    assert row["table_versions"]["images"] == lake.delta("images").version()
    assert {"images", "labels"} <= set(row["table_versions"])
    assert row["run_id"] == report["run_id"]


def test_order_of_rows_does_not_matter_and_the_seed_does(lake: Lake, capsys: Capture) -> None:
    animals(lake, 60)
    created(lake, capsys, "--task", "animal", sql="select image_id from images order by random()")
    created(lake, capsys, "--task", "animal", sql="select image_id from images order by image_id desc")
    created(lake, capsys, "--task", "animal", "--seed", 1)
    assert splits(lake, 1) == splits(lake, 2)
    assert splits(lake, 1) != splits(lake, 3)


def test_the_same_again_makes_no_version(lake: Lake, capsys: Capture) -> None:
    ids = animals(lake, 30)
    options = ("--task", "animal", "--param", "n=30")
    sql = "select image_id from images order by image_id limit $n"
    created(lake, capsys, *options, sql=sql)
    again = created(lake, capsys, *options, sql=sql)
    assert (again["written"], again["already_present"]) == (0, 30)
    assert again["details"]["data set"].startswith("set@1, which has")
    assert created(lake, capsys, *options, "--force", sql=sql)["details"]["data set"] == "set@2"
    fill(
        lake,
        "labels",
        [{"image_id": ids[0], "label": "dog", "labelled_at": NOW + timedelta(days=1)}],
        task="animal",
        annotator="ada",
        source="person",
    )
    assert created(lake, capsys, *options, sql=sql)["details"]["data set"] == "set@3", "a label has changed"
    assert rows(lake, version=3)[ids[0]]["labels"] == ["dog"]


def related(lake: Lake, ids: list[str]) -> list[tuple[str, ...]]:
    """Ten pairs of duplicates, four owners, an artist, five individuals, four bursts; returns what belongs together."""
    duplicates, owners, individuals, bursts = (ids[k : k + 20] for k in (0, 20, 40, 60))
    pairs = list(zip(duplicates[::2], duplicates[1::2], strict=True))
    group = [{"image_id": i, "group_id": p[0], "role": "keeper" if i == p[0] else "member"} for p in pairs for i in p]
    fill(lake, "groups", group, relation="duplicates", size=2)
    places = [f"https://x/{n}" for n in range(20)]
    records = [{"source_id": p, "media_url": p, "creator": f"owner {n // 5}"} for n, p in enumerate(places)]
    fill(lake, "records", records, provider="p")
    seen = [{"image_id": i, "origin": p, "uri": p} for i, p in zip(owners, places, strict=True)]
    fill(lake, "sightings", seen, size_bytes=1000)
    label(lake, {i: f"whale {n // 4}" for n, i in enumerate(individuals)}, task="individual")
    shots: list[dict[str, Any]] = [
        {"image_id": i, "make": "Canon", "captured_at": NOW + timedelta(seconds=9 * n + 100 * (n // 5))}
        for n, i in enumerate(bursts)
    ]
    fill(lake, "exif", [*shots, *({"image_id": i, "artist": "only in the file"} for i in ids[100:102])], source="file")
    found: list[tuple[str, ...]] = [*pairs, (ids[100], ids[101])]
    for series, size in ((owners, 5), (individuals, 4), (bursts, 5)):
        found += [tuple(series[k : k + size]) for k in range(0, 20, size)]
    return found


def test_duplicates_owners_individuals_bursts_and_columns_are_not_separated(lake: Lake, capsys: Capture) -> None:
    related_ids = related(lake, images(lake, 120))
    sql = "select image_id, ascii(image_id) // 3 as part from images"
    keys = "duplicate_group,owner,individual,burst"
    report = created(lake, capsys, "--group-by", keys, "--split", "a=0.4,b=0.3,c=0.3", sql=sql)
    assert report["details"]["group by"] == (
        "duplicate_group (known of 20 images), owner (known of 22 images), individual (known of 20 images),"
        " burst (known of 20 images)"
    )
    made = rows(lake)
    for group in related_ids:
        assert {made[i]["group_id"] for i in group} == {min(group)}
        assert len({made[i]["split"] for i in group}) == 1
    assert len({row["group_id"] for row in made.values()}) == 120 - 10 - 1 - 16 - 15 - 16
    created(lake, capsys, "--group-by", "part", "--split", "a=0.5,b=0.5", sql=sql)
    parts: dict[int, set[str]] = {}
    for i, row in rows(lake, version=2).items():
        parts.setdefault(ord(i[0]) // 3, set()).add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    joined = created(lake, capsys, "--group-by", f"{keys},part", "--split", "a=0.5,b=0.5", sql=sql)
    assert joined["details"]["groups"].startswith("1, of which 1"), "groups by any key are joined"


def deduped(lake: Lake, days: int = 0, config: str = '{"calibrate": false}') -> None:
    """A run of dedupe that succeeded, so many days after the pictures came."""
    at = NOW + timedelta(days=days)
    row = {"run_id": f"dedupe {days} {config}", "started_at": at, "finished_at": at, "config": config}
    fill(lake, "runs", [row], job="dedupe", status="succeeded", code_version="0", engine="local")


def test_whether_duplicates_have_been_looked_for(lake: Lake, capsys: Capture) -> None:
    images(lake, 6)
    never = "not looked for: run imagelake dedupe"
    assert created(lake, capsys)["details"]["duplicates"] == never
    deduped(lake, config='{"calibrate": true}')
    assert created(lake, capsys, "--group-by", "duplicate_group")["details"]["duplicates"] == never
    deduped(lake)
    assert "duplicates" not in created(lake, capsys, "--seed", 1)["details"], "it has found none"
    assert "duplicates" not in created(lake, capsys, "--seed", 1, "--group-by", "duplicate_group")["details"]
    fill(lake, "images", [{**_image(lake), "image_id": "f" * 64, "ingested_at": NOW + timedelta(days=2)}])
    late = "not looked for in 1 image that came later: run imagelake dedupe"
    assert created(lake, capsys)["details"]["duplicates"] == late
    deduped(lake, days=3)
    assert "duplicates" not in created(lake, capsys, "--seed", 2)["details"]


def test_duplicates_are_kept_together_by_default_once_they_are_known(lake: Lake, capsys: Capture) -> None:
    ids = images(lake, 6)
    group = [{"image_id": i, "group_id": ids[0], "role": "member" if n else "keeper"} for n, i in enumerate(ids[:4])]
    fill(lake, "groups", group, relation="duplicates", size=4)
    deduped(lake)
    report = created(lake, capsys, "--folds", 3)
    made = rows(lake)
    assert {made[i]["fold"] for i in ids[:4]} == {made[ids[0]]["fold"]}
    assert {row["split"] for row in made.values()} == {None}
    assert "duplicates" not in report["details"]
    fill(lake, "images", [{**_image(lake), "image_id": "f" * 64, "ingested_at": NOW + timedelta(days=1)}])
    pairs = {"relation": "phash", "model_id": "phash", "distance": 1, "similarity": 0.9}
    fill(lake, "pairs", [{**pairs, "image_id": min(ids[3:5]), "other_id": max(ids[3:5])}])
    late = created(lake, capsys, "--folds", 2, "--group-by", "duplicate_group,duplicate_pair")
    assert late["details"]["duplicates"].startswith("not looked for in 1 image ")
    assert {rows(lake, version=2)[i]["group_id"] for i in ids[:5]} == {min(ids[:5])}
    apart = created(lake, capsys, "--group-by", "")["details"]
    assert apart["group by"] == "nothing"
    assert apart["duplicates"] == "not kept together: 1 group may be in several splits; --group-by duplicate_group"


def _image(lake: Lake) -> dict[str, Any]:
    with Session(lake) as session:
        found: dict[str, Any] = session.arrow("from images limit 1").to_pylist()[0]
    return found


def test_labels_and_splits_of_the_statement(lake: Lake, capsys: Capture) -> None:
    ids = sorted(images(lake, 40))
    sql = """
        select image_id, if(row_number() over (order by image_id) <= 10, 'test', null) as split,
          if(image_id < '8', 'low', null) as label
        from images
    """
    report = created(lake, capsys, "--split", "train=0.75,val=0.25", sql=sql)
    low = [i for i in ids if i < "8"]
    assert report["details"]["left out"] == f"{40 - len(low)} images without a label"
    made = rows(lake)
    assert set(made) == set(low)
    assert all((made[i]["split"] == "test") == (n < 10) for n, i in enumerate(low))
    rest = Counter(row["split"] for row in made.values())
    assert abs(rest["train"] - 0.75 * (len(low) - 10)) < 1
    lists = "select image_id, ['b', 'a', 'b'] as labels, 'all' as split from images"
    created(lake, capsys, sql=lists)
    assert rows(lake, version=2)[ids[0]]["labels"] == ["a", "b"]
    assert set(splits(lake, 2).values()) == {"all"}


def test_annotators_that_disagree(lake: Lake, capsys: Capture) -> None:
    ids = images(lake, 10)
    label(lake, dict.fromkeys(ids, "cat"))
    label(lake, dict.fromkeys(ids[:3], "dog"), annotator="ben")
    assert "annotators disagree on 3 images" in refused(lake, capsys, "--task", "animal")
    consensus = [{"image_id": i, "label": "dog"} for i in ids[:3]]
    fill(lake, "consensus_labels", consensus, task="animal", consensus_quality=0.9, agreement=0.5, annotators=2)
    report = created(lake, capsys, "--task", "animal")
    assert report["details"]["consensus"].startswith("consensus_labels settles 3 images")
    assert Counter(row["labels"][0] for row in rows(lake).values()) == {"cat": 7, "dog": 3}
    assert "labels newer than the consensus" not in report["details"]
    newer = {"image_id": ids[0], "label": "dog", "labelled_at": NOW + timedelta(days=1)}
    fill(lake, "labels", [newer], task="animal", annotator="ben", source="person")
    report = created(lake, capsys, "--task", "animal", "--seed", 1)
    assert report["details"]["labels newer than the consensus"] == "1 (run curate consensus again)"


def test_several_labels_must_be_meant(lake: Lake, capsys: Capture) -> None:
    ids = images(lake, 10)
    label(lake, {i: ["cat", "dog"] if n < 2 else "cat" for n, i in enumerate(ids)})
    assert "2 images with several labels" in refused(lake, capsys, "--task", "animal")
    created(lake, capsys, "--task", "animal", "--multi-label")
    assert rows(lake)[ids[0]]["labels"] == ["cat", "dog"]


def test_columns_of_any_name_keep_images_together(lake: Lake, capsys: Capture) -> None:
    images(lake, 30)
    sql = "select image_id, ascii(image_id) // 3 as row, if(image_id < '8', 'low', 'high') as label from images"
    parts = created(lake, capsys, "--group-by", "row", "--split", "0.5/0.5", sql=sql)
    assert parts["details"]["group by"] == "row (known of 30 images)"
    created(lake, capsys, "--group-by", "label", "--split", "0.5/0.5", sql=sql)
    made = {(row["labels"][0], row["split"]) for row in rows(lake, version=2).values()}
    assert len(made) == 2, "each label is in one split"


def test_a_class_that_is_named_twice_is_one(lake: Lake, capsys: Capture) -> None:
    animals(lake, 6)
    created(lake, capsys, "--task", "animal", "--classes", "dog,cat,dog,eel")
    with Session(lake) as session:
        assert session.execute("select classes from datasets").fetchall() == [(["cat", "dog", "eel"],)]


def test_balanced_sample(lake: Lake, capsys: Capture) -> None:
    animals(lake, 60)
    report = created(lake, capsys, "--task", "animal", "--per-class", 25)
    assert report["details"]["sample"] == "25 images per class; fewer: cat 20"
    assert Counter(row["labels"][0] for row in rows(lake).values()) == {"cat": 20, "dog": 25}


MISTAKES = [
    ("no rows", [], "select image_id from images where false"),
    ("no column image_id, only format", [], "select format from images"),
    ("is BIGINT, not a text|is int64, not a text", [], "select count(*) as image_id from images"),
    ("column image_id twice", [], "select image_id, image_id from images"),
    ("30 rows too many, such as", [], "select image_id from images union all select image_id from images"),
    ("1 row without an image_id", [], "select image_id from images union all select null"),
    ("not in the lake: 1 image of the statement, such as nobody", [], "select 'nobody' as image_id"),
    ("Binder Error", [], "select colour from images"),
    ("Parser Error", [], "selec"),
    (r"the statement wants \$n", [], "select image_id from images limit $n"),
    ("task plant: no such labels; tasks: animal", ["--task", "plant"], None),
    ("outside --classes: 'dog'", ["--task", "animal", "--classes", "cat,cow"], None),
    ("add up to 0.9", ["--split", "0.7/0.2"], None),
    ("--folds 31: there are only 30 groups", ["--folds", "31"], None),
    ("--folds 1", ["--folds", "1"], None),
    ("give one of them", ["--folds", "3", "--split", "0.5/0.5"], None),
    ("--group-by owners: choose of duplicate_group, .*column of the statement$", ["--group-by", "owners"], None),
    ("--per-class 0", ["--per-class", "0"], None),
    ("--per-class needs labels", ["--per-class", "5"], None),
    (
        "--per-class 3: none of the images has a label",
        ["--classes", "a,b", "--per-class", "3"],
        "select image_id, []::varchar[] as labels from images",
    ),
    ("--group-by split: .* cannot be named", ["--group-by", "split"], "select image_id, 'a' as split from images"),
    ("--seed -1", ["--seed", "-1"], None),
    ("--burst-seconds -1", ["--burst-seconds", "-1"], None),
    ("label and labels", [], "select image_id, 'a' as label, ['a'] as labels from images"),
    ("not a list of texts", [], "select image_id, 'a' as labels from images"),
    ("call a list of texts labels", [], "select image_id, ['a'] as label from images"),
    ("none of the images has a label", [], "select image_id, null::varchar as label from images"),
    ("gives 30 images? no split", [], "select image_id, null::varchar as split from images"),
    ("gives splits already", ["--folds", "3"], "select image_id, 'a' as split from images"),
    ("split is int", [], "select image_id, 1 as split from images"),
    ("split 'a/b': use", [], "select image_id, 'a/b' as split from images"),
    (
        "separate 1 groups?, such as",
        ["--group-by", "one"],
        "select image_id, 1 as one, if(image_id < '8', 'a', 'b') as split from images",
    ),
]


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = create_lake(str(tmp_path_factory.mktemp("datasets") / "lake"))
    animals(lake, 30)
    return lake


@pytest.mark.parametrize(("message", "options", "sql"), MISTAKES, ids=[m[0][:30] for m in MISTAKES])
def test_mistakes_are_one_line(
    thirty: Lake, capsys: Capture, message: str, options: list[str], sql: str | None
) -> None:
    error = refused(thirty, capsys, *options, sql=sql or "select image_id from images")
    assert re.search(message, error.strip()), error


def test_more_mistakes(thirty: Lake, capsys: Capture) -> None:
    assert "--sql or --file" in refused(thirty, capsys, sql=None)
    assert "NAME 'a/b'" in refused(thirty, capsys, name="a/b")
    assert "--file nowhere.sql" in refused(thirty, capsys, "--file", "nowhere.sql", sql=None)
    for command in (("show", "x"), ("diff", "x@1", "x@2"), ("export", "x", "--out", "o", "--format", "csv")):
        assert main(["dataset", command[0], "--lake", thirty.root, *command[1:]]) == 2
        assert "no data set x: there is none yet" in capsys.readouterr().err


def test_a_statement_from_a_file(lake: Lake, capsys: Capture, tmp_path: Any) -> None:
    images(lake, 10)
    (tmp_path / "some.sql").write_text("select image_id from images where format = $format")
    report = created(lake, capsys, "--file", tmp_path / "some.sql", "--param", "format=JPEG", sql=None)
    assert report["written"] == 10
    with Session(lake) as session:
        assert session.execute("select parameters['format'] from datasets").fetchall() == [("JPEG",)]


@pytest.fixture
def kept(lake: Lake, capsys: Capture) -> list[str]:
    """Two versions: the second relabels and moves the first of these images, moves the next, lacks the third."""
    ids = sorted(images(lake, 30))
    created(lake, capsys, sql="select image_id, 'a' as label, 'train' as split from images where image_id > '3'")
    first, second, third = [i for i in ids if i > "3"][:3]
    created(
        lake,
        capsys,
        *("--param", f"one={first}", "--param", f"two={second}", "--param", f"three={third}"),
        sql="select image_id, if(image_id = $one, 'b', 'a') as label,"
        " if(image_id in ($one, $two), 'test', 'train') as split from images where image_id <> $three",
    )
    return [i for i in ids if i > "3"]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_show(lake: Lake, kept: list[str], capsys: Capture) -> None:
    assert main(["dataset", "show", "--lake", lake.root, "--format", "csv"]) == 0
    listed = read_csv(capsys.readouterr().out)
    assert [(row["dataset"], row["dataset_version"]) for row in listed] == [("set", "1"), ("set", "2")]
    assert main(["dataset", "show", "--lake", lake.root, "set"]) == 0
    text = capsys.readouterr().out
    assert "data set: set@2\n" in text
    assert "never separated: nothing" in text
    assert "groups: 29, of which 0" in text
    assert main(["dataset", "show", "--lake", lake.root, "set@2", "--format", "csv"]) == 0
    counts = {row.pop("class"): row for row in read_csv(capsys.readouterr().out)}
    assert counts["b"] == {"test": "1", "train": "0", "images": "1"}
    assert counts["all images"]["images"] == "29"


def test_diff(lake: Lake, kept: list[str], capsys: Capture) -> None:
    assert main(["dataset", "diff", "--lake", lake.root, "set@1", "set@2"]) == 0
    added = 30 - len(kept)
    table = [line.split() for line in capsys.readouterr().out.splitlines()[2:6]]
    assert table == [["added", str(added)], ["removed", "1"], ["relabelled", "1"], ["moved", "2"]]
    assert main(["dataset", "diff", "--lake", lake.root, "set@1", "set@2", "--format", "csv"]) == 0
    lines = read_csv(capsys.readouterr().out)
    assert len(lines) == added + 4
    assert {line["change"] for line in lines if line["image_id"] == kept[0]} == {"relabelled", "moved"}
    assert main(["dataset", "diff", "--lake", lake.root, "set@1", "set@9"]) == 2
    assert "no version 9: there is 1, 2" in capsys.readouterr().err


def test_several_at_once_never_share_a_version(lake: Lake) -> None:
    images(lake, 40)
    together = threading.Barrier(4)

    def work(number: int) -> list[int]:
        together.wait()
        sql = f"select image_id from images order by image_id limit {10 + number}"
        return [create(Lake(lake.root), "--seed", seed, sql=sql) for seed in range(2)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[0, 0]] * 4
    with Session(lake) as session:
        found = session.execute(
            "select d.dataset_version, any_value(d.images), count(*), count(distinct i.run_id),"
            " bool_and(i.run_id = d.run_id)"
            " from datasets as d join dataset_images as i using (dataset, dataset_version) group by 1 order by 1"
        ).fetchall()
    assert sorted(n for _, n, _, _, _ in found) == [10, 10, 11, 11, 12, 12, 13, 13]
    assert [version for version, _, _, _, _ in found] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(stated == there and runs == 1 and own for _, stated, there, runs, own in found)


def test_what_a_killed_run_leaves_is_not_seen(lake: Lake, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    images(lake, 10)

    def dies(*arguments: object) -> int:
        committed(*arguments)
        raise SystemExit

    committed = versions.commit_images
    monkeypatch.setattr(versions, "commit_images", dies)
    with pytest.raises(SystemExit):
        create(lake)
    monkeypatch.undo()
    assert len(rows(lake)) == 10
    assert main(["dataset", "show", "--lake", lake.root, "set"]) == 2
    assert created(lake, capsys)["details"]["data set"] == "set@2", "the number is not used again"
    assert main(["dataset", "show", "--lake", lake.root, "set@1"]) == 2
