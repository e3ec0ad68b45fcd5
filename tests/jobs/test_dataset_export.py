"""imagelake dataset export: every format is read back by another program and compared with the bytes of the lake."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from imagelake.cli import main
from imagelake.datasets.export import plan_rows
from imagelake.datasets.shards import whole_file
from imagelake.datasets.versions import find
from imagelake.errors import StorageError
from imagelake.jobs import dataset_create, dataset_export, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session, sql_files
from imagelake.lake.storage import Storage
from tests.conftest import jpeg, picture
from tests.jobs.datasets import rows
from tests.jobs.same import bytes_of

Capture = pytest.CaptureFixture[str]
KINDS = ("imagefolder", "webdataset", "parquet", "huggingface", "coco", "yolo", "csv")
NAMES = {"Cat": "Cat", "cat": "cat-2", "a/b": "a_b", "Käse": "Käse"}
SQL = """
    select i.image_id, s.label, s.split
    from images as i
    join (
      select
        image_id, ['cat', 'Cat', 'a/b', 'Käse'][1 + parse_filename(any_value(origin), true)::int % 4] as label,
        if(parse_filename(any_value(origin), true)::int < 12, 'train', 'test') as split
      from sightings group by image_id
    ) as s using (image_id)
"""


# The order of these names is not that of their folders.
UNSORTED = {"Cat": "Cat", "aA": "aA", "a/b": "a_b", "cat dog": "cat dog", "cat": "cat-2"}


def encoded(seed: int, kind: str, size: tuple[int, int] = (60, 40)) -> bytes:
    file = io.BytesIO()
    picture(seed, *size).save(file, kind)
    return file.getvalue()


def build(folder: Path, *, in_place: bool = False) -> Lake:
    """20 pictures: JPEG, PNG, WebP; the data set `set` with awkward class names and given splits, and `many`."""
    photos = folder / "photos"
    photos.mkdir()
    for n in range(20):
        kind = ("JPEG", "PNG", "WEBP", "JPEG")[n // 4 % 4]
        (photos / f"{n:02d}.{kind.lower()}").write_bytes(encoded(n, kind, (60 + n, 40)))
    lake = create_lake(str(folder / "lake"))
    ingest.run(ingest.Config((str(photos),), lake.root, in_place=in_place, quiet=True, engine="local"), lake)
    dataset_create.run(dataset_create.Config("set", lake.root, sql=SQL), lake)
    lists = SQL.replace("s.label", "if(s.label = 'cat', ['cat', 'Cat'], if(s.label = 'Cat', [], [s.label])) as labels")
    dataset_create.run(dataset_create.Config("many", lake.root, sql=lists), lake)
    dataset_create.run(dataset_create.Config("bare", lake.root, sql="select image_id from images", folds=2), lake)
    return lake


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def original(made: Lake) -> dict[str, bytes]:
    return bytes_of(made)


def export(lake: Lake, out: object, kind: str, *arguments: object, name: str = "set") -> int:
    options = ["--out", str(out), "--format", kind, "--engine", "local", "--quiet", *map(str, arguments)]
    return main(["dataset", "export", name, "--lake", lake.root, *options])


def exported(lake: Lake, capsys: Capture, out: object, kind: str, *arguments: object, **more: Any) -> dict[str, Any]:
    capsys.readouterr()
    assert export(lake, out, kind, *arguments, "--json", **more) == 0, capsys.readouterr().err
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the marker."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "imagelake-export.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_imagefolder(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    torchvision = pytest.importorskip("torchvision")
    report = exported(made, capsys, tmp_path / "out", "imagefolder")
    assert (report["read"], report["written"], report["details"]["data set"]) == (20, 20, "set@1")
    folders = {v: k for k, v in NAMES.items()}
    found = {}
    for split in ("train", "test"):
        data = torchvision.datasets.ImageFolder(tmp_path / "out" / split)
        for path, number in data.samples:
            found[Path(path).stem] = (split, folders[data.classes[number]], Path(path).read_bytes())
        assert data[0][0].size[1] == 40
    assert found == {i: (r["split"], r["labels"][0], original[i]) for i, r in rows(made).items()}
    listed = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert {c["class"]: c["folder"] for c in listed} == NAMES
    assert json.loads((tmp_path / "out" / "imagelake-export.json").read_text())["complete"] is True


@pytest.fixture(scope="module")
def unsorted(made: Lake) -> Lake:
    """The same pictures as data set `unsorted`, with the classes of UNSORTED."""
    sql = SQL.replace("['cat', 'Cat', 'a/b', 'Käse'][1 +", f"{list(UNSORTED)}[1 +").replace("% 4", "% 5")
    dataset_create.run(dataset_create.Config("unsorted", made.root, sql=sql), made)
    return made


@pytest.mark.parametrize("kind", ["imagefolder", "yolo"])
def test_numbers_follow_the_folders(unsorted: Lake, tmp_path: Path, capsys: Capture, kind: str) -> None:
    exported(unsorted, capsys, tmp_path / "out", kind, name="unsorted")
    listed = json.loads((tmp_path / "out" / "classes.json").read_text())
    folders = sorted(path.name for path in (tmp_path / "out" / "train").iterdir())
    assert [(c["number"], c["folder"]) for c in listed] == list(enumerate(folders))
    assert {c["class"]: c["folder"] for c in listed} == UNSORTED
    found = {path.stem: path.parent.name for path in (tmp_path / "out").glob("*/*/*")}
    assert found == {i: UNSORTED[row["labels"][0]] for i, row in rows(unsorted, "unsorted").items()}
    if kind == "yolo":
        names = (tmp_path / "out" / "data.yaml").read_text().partition("names:\n")[2]
        assert names == "".join(f'  {n}: "{folder}"\n' for n, folder in enumerate(folders))


def test_other_numbers_follow_the_classes(unsorted: Lake, tmp_path: Path, capsys: Capture) -> None:
    exported(unsorted, capsys, tmp_path / "out", "csv", name="unsorted")
    with (tmp_path / "out" / "images.csv").open(newline="") as file:
        numbers = {row["label"]: int(row["class_number"]) for row in csv.DictReader(file)}
    assert numbers == {name: n for n, name in enumerate(sorted(UNSORTED))}


def test_webdataset(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    exported(made, capsys, tmp_path / "out", "webdataset")
    classes = [c["class"] for c in json.loads((tmp_path / "out" / "classes.json").read_text())]
    found = {}
    for path in sorted((tmp_path / "out").glob("*.tar")):
        samples: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                file = tar.extractfile(member)
                assert file
                samples.setdefault(key, {})[extension] = file.read()
                assert key == list(samples)[-1], "members of one key are side by side"
        for key, sample in samples.items():
            facts = json.loads(sample.pop("json"))
            label = classes[int(sample.pop("cls"))]
            assert [label] == facts["labels"]
            assert path.name == f"{facts['split']}-000000.tar"
            [(extension, data)] = sample.items()
            assert Image.open(io.BytesIO(data)).format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[extension]
            found[key] = (facts["split"], label, data)
    assert found == {i: (r["split"], r["labels"][0], original[i]) for i, r in rows(made).items()}


def test_parquet(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    exported(made, capsys, tmp_path / "out", "parquet")
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert [f.name for f in files] == ["test-00000.parquet", "train-00000.parquet"]
    found = [row for f in files for row in pq.read_table(f).to_pylist()]
    expected = rows(made)
    assert {row["image_id"]: row["image"] for row in found} == original
    for row in found:
        assert (row["labels"], row["split"]) == (
            expected[row["image_id"]]["labels"],
            expected[row["image_id"]]["split"],
        )
        assert Image.open(io.BytesIO(row["image"])).size == (row["width_px"], row["height_px"])


@pytest.mark.parametrize("name", ["set", "many", "bare"])
def test_huggingface(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture, name: str) -> None:
    exported(made, capsys, tmp_path / "out", "huggingface", name=name)
    splits = ["fold0", "fold1"] if name == "bare" else ["test", "train"]
    card = (tmp_path / "out" / "README.md").read_text()
    head = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    assert card.startswith(
        head + "".join(f'  - split: "{s}"\n    path: data/{s}/*.parquet\n' for s in splits) + "---\n"
    )
    expected = rows(made, name)
    seen = 0
    for split in splits:
        [file] = (tmp_path / "out" / "data" / split).glob("*.parquet")
        features = json.loads(pq.read_schema(file).metadata[b"huggingface"])["info"]["features"]
        assert features["image"] == {"_type": "Image"}
        for row in pq.read_table(file).to_pylist():
            seen += 1
            image_id = row["image_id"]
            assert row["image"]["bytes"] == original[image_id]
            assert row["image"]["path"].startswith(image_id)
            names = {"set": features.get("label"), "many": (features.get("labels") or {}).get("feature")}.get(name)
            numbers = {"set": [row.get("label")], "many": row.get("labels"), "bare": []}[name]
            assert [names["names"][n] for n in numbers] == expected[image_id]["labels"]
            assert names is None or names["_type"] == "ClassLabel"
    assert seen == 20


def test_huggingface_is_read_by_its_library(made: Lake, tmp_path: Path, capsys: Capture) -> None:
    datasets = pytest.importorskip("datasets")
    exported(made, capsys, tmp_path / "out", "huggingface")
    data = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert data["train"].features["label"].names == ["Cat", "Käse", "a/b", "cat"]
    assert data["train"][0]["image"].size[1] == 40


@pytest.mark.parametrize(("name", "size"), [("set", None), ("many", None), ("set", 32)])
def test_coco(made: Lake, tmp_path: Path, capsys: Capture, name: str, size: int | None) -> None:
    exported(made, capsys, tmp_path / "out", "coco", *(["--size", size] if size else []), name=name)
    expected = rows(made, name)
    labels: dict[str, list[str]] = {}
    for split in ("train", "test"):
        whole = json.loads((tmp_path / "out" / "annotations" / f"{split}.json").read_text())
        names = {c["id"]: c["name"] for c in whole["categories"]}
        images = {image["id"]: image for image in whole["images"]}
        assert len(images) == len(whole["images"])
        for image in whole["images"]:
            with Image.open(tmp_path / "out" / "images" / split / image["file_name"]) as opened:
                assert opened.size == (image["width"], image["height"])
                assert max(opened.size) == (size or max(opened.size))
            labels[image["file_name"][:64]] = []
        for one in whole["annotations"]:
            image = images[one["image_id"]]
            assert one["bbox"] == [0, 0, image["width"], image["height"]]
            assert one["area"] == image["width"] * image["height"]
            labels[image["file_name"][:64]].append(names[one["category_id"]])
    assert {i: sorted(found) for i, found in labels.items()} == {i: r["labels"] for i, r in expected.items()}


def test_yolo(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    exported(made, capsys, tmp_path / "out", "yolo")
    text = (tmp_path / "out" / "data.yaml").read_text()
    assert text.startswith('path: .\n"test": "test"\n"train": "train"\nnames:\n  0: "Cat"\n  1: "Käse"\n')
    files = {p.stem: p for p in (tmp_path / "out").glob("*/*/*.*")}
    assert {i: p.read_bytes() for i, p in files.items()} == original
    assert {i: p.parts[-3] for i, p in files.items()} == {i: r["split"] for i, r in rows(made).items()}


def test_csv(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    exported(made, capsys, tmp_path / "out", "csv")
    with (tmp_path / "out" / "images.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 20
    for row in found:
        with made.storage.open(row["uri"]) as blob:
            blob.seek(int(row["offset_bytes"]))
            assert blob.read(int(row["length_bytes"])) == original[row["sha256"]]
        assert [row["label"]] == rows(made)[row["image_id"]]["labels"]
    with Session(made) as session:
        assert session.execute(
            "select images from exports where location = $l", {"l": str(tmp_path / "out")}
        ).fetchall() == [(0,)]
    exported(made, capsys, tmp_path / "many", "csv", name="many")
    with (tmp_path / "many" / "images.csv").open(newline="") as file:
        assert {r["image_id"]: json.loads(r["labels"]) for r in csv.DictReader(file)} == {
            i: r["labels"] for i, r in rows(made, "many").items()
        }


def test_imagefolder_of_several_labels_and_of_none(made: Lake, tmp_path: Path, capsys: Capture) -> None:
    exported(made, capsys, tmp_path / "many", "imagefolder", name="many")
    found = {}
    for split in ("train", "test"):
        with (tmp_path / "many" / split / "metadata.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                assert (tmp_path / "many" / split / row["file_name"]).exists()
                found[row["image_id"]] = json.loads(row["labels"])
    assert found == {i: r["labels"] for i, r in rows(made, "many").items()}
    exported(made, capsys, tmp_path / "bare", "imagefolder", "--split", "fold1", name="bare")
    assert {p.name for p in (tmp_path / "bare").iterdir() if p.is_dir()} == {"fold1"}


def test_a_split_alone_has_the_layout_of_the_whole(made: Lake, tmp_path: Path, capsys: Capture) -> None:
    lists = SQL.replace("s.label", "if(s.split = 'train', ['cat', 'Cat'], [s.label]) as labels")
    dataset_create.run(dataset_create.Config("uneven", made.root, sql=lists), made)
    for split in ("train", "test"):
        exported(made, capsys, tmp_path / split, "csv", "--split", split, name="uneven")
        assert (tmp_path / split / "images.csv").read_text().splitlines()[0].endswith('"labels"')


def test_formats_that_few_read_are_converted_and_sizes_hold(lake: Lake, tmp_path: Path, capsys: Capture) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(9, 60, 40).save(photos / "turned.jpg", exif=exif)
    for n, kind in enumerate(("AVIF", "GIF", "JPEG2000", "BMP")):
        picture(n, 60, 40).save(photos / f"{n}.x", kind)
    ingest.run(ingest.Config((str(photos),), lake.root, quiet=True, engine="local"), lake)
    dataset_create.run(
        dataset_create.Config("set", lake.root, sql="select image_id, 'a' as label from images", split="1"), lake
    )
    report = exported(lake, capsys, tmp_path / "out", "imagefolder")
    assert report["details"]["converted, as few programs read them"] == "1 AVIF, 1 GIF, 1 JPEG2000"
    found = sorted(p.suffix for p in (tmp_path / "out" / "train" / "a").iterdir())
    assert found == [".bmp", ".jpg", ".jpg", ".jpg", ".png"]
    report = exported(lake, capsys, tmp_path / "kept", "webdataset", "--keep-format")
    assert report["details"]["seldom read, kept"] == "1 AVIF, 1 GIF, 1 JPEG2000"
    with tarfile.open(tmp_path / "kept" / "train-000000.tar") as tar:
        assert {n.rpartition(".")[2] for n in tar.getnames()} == {"avif", "gif", "jp2", "bmp", "jpg", "cls", "json"}
    exported(lake, capsys, tmp_path / "small", "imagefolder", "--size", 30)
    sizes = [Image.open(io.BytesIO(data)).size for name, data in contents(tmp_path / "small").items() if "/a/" in name]
    assert sorted(sizes) == [(20, 30), *[(30, 20)] * 4], "the turned one is upright now"


@pytest.mark.parametrize("kind", KINDS)
def test_a_half_export_is_known_and_completed(
    made: Lake, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    exported(made, capsys, tmp_path / "whole", kind)

    def dies(*arguments: object, **more: object) -> None:
        if more.get("complete"):
            raise SystemExit
        real(*arguments, **more)

    real = dataset_export.write_marker
    monkeypatch.setattr(dataset_export, "write_marker", dies)
    with pytest.raises(SystemExit):
        export(made, tmp_path / "half", kind)
    monkeypatch.undo()
    marker = tmp_path / "half" / "imagelake-export.json"
    assert json.loads(marker.read_text())["complete"] is False
    for path in sorted(p for p in (tmp_path / "half").rglob("*") if p.suffix in (".jpg", ".png", ".tar", ".parquet"))[
        :1
    ]:
        path.unlink()
    report = exported(made, capsys, tmp_path / "half", kind)
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")
    assert json.loads(marker.read_text())["complete"] is True
    assert report["already_present"] > 0 or kind == "csv"
    assert report["written"] > 0


@pytest.mark.parametrize(("options", "splits"), [([], None), (["--split", "train,test"], ["test", "train"])])
def test_a_failed_export_is_noted(
    made: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], splits: list[str] | None
) -> None:
    def fails(*_: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(dataset_export, "write_index", fails)
    assert export(made, tmp_path / "out", "imagefolder", *options) == StorageError.exit_code
    with Session(made) as session:
        sql = "select images, splits from exports where location = $l"
        assert session.execute(sql, {"l": str(tmp_path / "out")}).fetchall() == [(20, splits)]


def test_after_forget_counts_are_true_and_an_older_export_is_named(tmp_path: Path, capsys: Capture) -> None:
    lake = build(tmp_path)
    exported(lake, capsys, tmp_path / "out", "csv")
    [gone, *_] = rows(lake)
    assert main(["forget", "--lake", lake.root, "--image-id", gone, "--reason", "asked"]) == 0
    capsys.readouterr()
    assert main(["dataset", "show", "set", "--lake", lake.root]) == 0
    assert "\nimages: 19\n" in capsys.readouterr().out
    assert main(["dataset", "show", "--lake", lake.root, "--format", "csv"]) == 0
    assert {row["images"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))} == {"19"}
    with Session(lake) as session:
        assert set(session.arrow(sql_files("reports")["datasets"])["images"].to_pylist()) == {19}
    assert export(lake, tmp_path / "out", "csv") == 2
    assert "holds this export, made before pictures were forgotten (set@1 as csv)" in capsys.readouterr().err
    assert export(lake, tmp_path / "out", "parquet") == 2
    assert "holds another export (set@1 as csv)" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"{", b"[1]", b"{}", b"\xff"])
def test_a_marker_of_something_else_is_no_export(made: Lake, tmp_path: Path, capsys: Capture, text: bytes) -> None:
    (tmp_path / "imagelake-export.json").write_bytes(text)
    assert export(made, tmp_path, "csv") == 2
    assert "is not empty and no export of imagelake" in capsys.readouterr().err
    assert (tmp_path / "imagelake-export.json").read_bytes() == text


def test_a_place_that_cannot_be_made_is_one_line(made: Lake, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (str(tmp_path / "file" / "x"), "/proc/x"):
        assert export(made, place, "csv") == StorageError.exit_code
        error = capsys.readouterr().err
        assert place in error
        assert error.count("\n") == 1
    with pytest.raises(StorageError), whole_file(Storage(str(tmp_path / "file")), "x"):
        pass


def test_unreadable_pictures_are_rejected_and_the_rest_is_written(tmp_path: Path, capsys: Capture) -> None:
    lake = build(tmp_path, in_place=True)
    (tmp_path / "photos" / "00.jpeg").unlink()
    (tmp_path / "photos" / "01.jpeg").write_bytes(jpeg(77))
    (tmp_path / "photos" / "02.jpeg").write_bytes(b"")
    for kind in ("imagefolder", "webdataset", "coco"):
        report = exported(lake, capsys, tmp_path / kind, kind)
        assert (report["written"], report["rejected"]) == (17, 3)
        with Session(lake) as session:
            sql = "select reason, count(*) from failures where run_id = $r group by all order by all"
            assert session.execute(sql, {"r": report["run_id"]}).fetchall() == [("changed", 2), ("missing", 1)]
            sql = "select images, dataset, dataset_version, format from exports where run_id = $r"
            assert session.execute(sql, {"r": report["run_id"]}).fetchall() == [(20, "set", 1, kind)], "as planned"
    annotated = [json.loads(p.read_text()) for p in (tmp_path / "coco" / "annotations").iterdir()]
    assert sum(len(one["images"]) for one in annotated) == 17


def test_small_shards(made: Lake, original: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    with Session(made) as session:
        plan_rows(session, find(session, "set"), [], 1)
        sql = session.execute("select place, shard, count(*) from export_rows group by all order by all").fetchall()
        assert sql == [("test", 0, 8), ("train", 0, 12)]
    big = create_lake(str(tmp_path / "big"))
    photos = tmp_path / "big-photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for n in range(8):
        Image.fromarray(rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)).save(photos / f"{n}.png")
    ingest.run(ingest.Config((str(photos),), big.root, quiet=True, engine="local"), big)
    dataset_create.run(dataset_create.Config("set", big.root, sql="select image_id from images", split="1"), big)
    exported(big, capsys, tmp_path / "out", "webdataset", "--shard-mb", 1)
    shards = sorted((tmp_path / "out").glob("*.tar"))
    assert [p.name for p in shards] == [f"train-{n:06d}.tar" for n in range(4)]
    names = []
    for path in shards:
        with tarfile.open(path) as tar:
            names += [name for name in tar.getnames() if name.endswith(".png")]
    assert names == sorted(f"{i}.png" for i in bytes_of(big)), "in the order of their ids"


def test_refusals(made: Lake, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    exported(made, capsys, tmp_path / "out", "csv")
    cases: list[tuple[str, tuple[Any, ...], dict[str, str]]] = [
        ("is not empty and no export", (tmp_path / "full", "csv"), {}),
        ("is a file", (tmp_path / "file", "csv"), {}),
        ("holds another export", (tmp_path / "out", "parquet"), {}),
        ("is inside of the lake", (f"{made.root}/exports", "csv"), {}),
        ("--split best: set@1 has test, train", (tmp_path / "x", "csv", "--split", "best"), {}),
        ("--split train: bare@1 has fold0, fold1", (tmp_path / "x", "csv", "--split", "train"), {"name": "bare"}),
        ("one class per picture", (tmp_path / "x", "yolo"), {"name": "many"}),
        ("no version 7", (tmp_path / "x", "csv"), {"name": "set@7"}),
        ("--size 0", (tmp_path / "x", "csv", "--size", 0), {}),
        ("--shard-mb 0", (tmp_path / "x", "csv", "--shard-mb", 0), {}),
    ]
    before = made.delta("exports").version()
    for message, arguments, more in cases:
        assert export(made, *arguments, **more) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert main(["dataset", "export", "set", "--lake", made.root]) == 2
    assert "give --out and --format" in capsys.readouterr().err
    assert made.delta("exports").version() == before
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_s3_equals_local(made: Lake, s3: str, tmp_path: Path, capsys: Capture, kind: str) -> None:
    import boto3

    exported(made, capsys, tmp_path / "out", kind)
    assert exported(made, capsys, f"{s3}/sets/one", kind)["written"] == 20
    client = boto3.client("s3")
    bucket = s3.removeprefix("s3://")
    listed = client.list_objects_v2(Bucket=bucket, Prefix="sets/one/")["Contents"]
    names = [o["Key"] for o in listed if not o["Key"].endswith(("/", "imagelake-export.json"))]
    found = {n.removeprefix("sets/one/"): client.get_object(Bucket=bucket, Key=n)["Body"].read() for n in names}
    client.close()
    assert found == contents(tmp_path / "out")
    assert exported(made, capsys, f"{s3}/sets/one", kind)["already_present"] == (0 if kind == "csv" else 20)


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "huggingface"])
def test_ray_equals_local(
    made: Lake, tmp_path: Path, capsys: Capture, shared_ray: None, kind: str, make_pictures: Callable[..., Path]
) -> None:
    exported(made, capsys, tmp_path / "local", kind)
    report = exported(made, capsys, tmp_path / "ray", kind, "--engine", "ray")
    assert (report["engine"], report["written"]) == ("ray", 20)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
