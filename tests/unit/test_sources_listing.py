"""Listing of folders, single files, lists and object stores: order, names, links, and what is no file."""

import os
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from imagelake.errors import BadItem, SourceError, StorageError
from imagelake.sources.listing import FileItem, list_files, local_path


class Rejected(dict[str, str]):
    """Collects origin and reason."""

    def __call__(self, origin: str, bad: BadItem) -> None:
        assert origin not in self
        self[origin] = bad.reason


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def origins(source: str, rejected: Rejected | None = None) -> list[str]:
    return [item.origin for item in list_files(source, rejected if rejected is not None else Rejected())]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.jpg", "a/2.jpg", "a/1.jpg", "a-b/x", "a.jpg", ".hidden/.y", "a/deep/er/z"):
        write(tmp_path / "photos" / name, name.encode())
    for clutter in (".DS_Store", "a/Thumbs.db", "__MACOSX/a.jpg", "a/._1.jpg"):
        write(tmp_path / "photos" / clutter)
    (tmp_path / "photos/empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_in_the_order_of_paths(tree: Path) -> None:
    expected = [".hidden/.y", "a-b/x", "a.jpg", "a/1.jpg", "a/2.jpg", "a/deep/er/z", "b.jpg"]
    assert sorted(expected) == expected
    for source in ("photos", "photos/", "./photos", str(tree / "photos")):
        items = list(list_files(source))
        assert [i.origin for i in items] == [f"{source.rstrip('/')}/{name}" for name in expected]
        assert [Path(i.uri).read_bytes().decode() for i in items] == expected
        assert all(Path(i.uri).is_absolute() and i.size_bytes == len(Path(i.uri).read_bytes()) for i in items)
    assert origins(".")[0] == "./photos/.hidden/.y"


def test_size_and_time(tree: Path) -> None:
    moment = datetime(2001, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)
    os.utime(tree / "photos/b.jpg", ns=(0, 981_173_106_789_012_345))
    (item,) = list_files("photos/b.jpg")
    assert item == FileItem("photos/b.jpg", str(tree / "photos/b.jpg"), 5, moment)


def test_a_source_that_is_none(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    for source, message in {
        "nowhere": "no such file or folder",
        "photos/b.jpg/c": "no such file or folder",
        "": "a source is empty",
        "pipe": "neither",
        "https://example.org/a.jpg": "harvest and download",
        "gs://bucket/x": "cannot list gs://",
        "s3:///x": "no bucket",
    }.items():
        with pytest.raises(SourceError, match=message) as caught:
            list(list_files(source))
        assert "\n" not in str(caught.value)


def test_names_that_are_not_utf8(tree: Path) -> None:
    folder = os.fsencode(tree / "odd")
    Path(os.fsdecode(folder + b"/\xe9t\xe9")).mkdir(parents=True)
    for name in (b"/\xe9t\xe9/\xff %.jpg", b"/plain.jpg"):
        Path(os.fsdecode(folder + name)).write_bytes(name)
    items = list(list_files("odd"))
    assert [i.origin for i in items] == ["odd/plain.jpg", "odd/\\xe9t\\xe9/\\xff %.jpg"]
    pa.array([i.uri for i in items])  # Arrow takes UTF-8 only
    assert items[1].uri.startswith("file:///")
    assert Path(local_path(items[1].uri)).read_bytes() == b"/\xe9t\xe9/\xff %.jpg"
    assert [i.origin for i in list_files(items[1].uri)] == [items[1].uri]
    # and as a source that the shell hands over
    (item,) = list_files(os.fsdecode(b"odd/\xe9t\xe9/\xff %.jpg"))
    assert (item.origin, item.uri) == (items[1].origin, items[1].uri)


def test_links(tree: Path) -> None:
    outside = write(tree / "outside/o.jpg").parent
    photos = tree / "photos"
    (photos / "file").symlink_to(outside / "o.jpg")
    (photos / "folder").symlink_to(outside)
    (photos / "folder_again").symlink_to(outside)
    (photos / "self").symlink_to(photos)
    (photos / "inner").symlink_to(photos / "a")
    (photos / "around").symlink_to(tree)
    (photos / "broken").symlink_to("nothing")
    (photos / "circle").symlink_to("circle")
    (outside / "back").symlink_to(photos)
    rejected = Rejected()
    found = origins("photos", rejected)
    assert [o for o in found if "fil" in o or "fol" in o] == ["photos/file", "photos/folder/o.jpg"]
    assert len(found) == 9
    assert rejected == {
        "photos/around/": "symlink_loop",
        "photos/broken": "missing",
        "photos/circle": "unreadable",
    }


def test_a_linked_source_is_followed(tree: Path) -> None:
    (tree / "link").symlink_to("photos")
    assert len(origins("link")) == 7


def test_what_is_no_file_is_reported_and_the_listing_goes_on(tree: Path) -> None:
    os.mkfifo(tree / "photos/a/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("photos/socket")
        rejected = Rejected()
        assert len(origins("photos", rejected)) == 7
    assert rejected == {"photos/a/pipe": "not_a_file", "photos/socket": "not_a_file"}


def test_a_folder_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # permissions do not bind root, who often runs tests: a folder that goes away while it is listed does the same
    scandir = os.scandir

    def refusing(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).rstrip("/").endswith("photos/a"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)  # type: ignore[return-value]

    monkeypatch.setattr(os, "scandir", refusing)
    rejected = Rejected()
    assert origins("photos", rejected) == ["photos/.hidden/.y", "photos/a-b/x", "photos/a.jpg", "photos/b.jpg"]
    assert rejected == {"photos/a/": "unreadable"}


def test_rejects_are_logged_by_default(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tree / "photos/broken").symlink_to("nothing")
    assert len(list(list_files("photos"))) == 7
    assert "photos/broken: missing" in caplog.text


def test_memory_is_that_of_one_folder_of_names(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(200):
            (tmp_path / f"{folder:02}" / f"{number:04}.jpg").touch()

    def peak_of(source: Path) -> int:
        tracemalloc.start()
        assert sum(1 for _ in list_files(str(source))) > 0
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_of(tmp_path / "00")
    assert peak_of(tmp_path) < peak_of(tmp_path / "00") + 20_000


def test_text_list(tree: Path) -> None:
    write(
        tree / "lists/l.txt",
        f"\ufeff# comment\n\n../photos/b.jpg\r\n  {tree}/photos/a.jpg  \nfile://{tree}/photos/a/1.jpg\n"
        "nowhere.jpg\nhttps://example.org/x.jpg\n../photos/a\n../photos/b.jpg\n".encode(),
    )
    rejected = Rejected()
    items = list(list_files("lists/l.txt", rejected))
    assert [i.origin for i in items] == [
        "lists/../photos/b.jpg",
        f"{tree}/photos/a.jpg",
        f"file://{tree}/photos/a/1.jpg",
        "lists/../photos/b.jpg",
    ]
    assert [Path(i.uri).read_bytes() for i in items] == [b"b.jpg", b"a.jpg", b"a/1.jpg", b"b.jpg"]
    assert rejected == {
        "lists/nowhere.jpg": "missing",
        "https://example.org/x.jpg": "not_local",
        "lists/../photos/a": "not_a_file",
    }


def test_a_text_list_with_names_that_are_not_utf8(tree: Path) -> None:
    (tree / os.fsdecode(b"\xff.jpg")).touch()
    write(tree / "l.txt", b"\xff.jpg\n")
    (item,) = list_files("l.txt")
    assert item.origin == "\\xff.jpg"
    assert Path(local_path(item.uri)).exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", 'id,Image_Path,label\n1,photos/b.jpg,"x, y"\n2,photos/a.jpg,\n'),
        ("l.csv", "name\nphotos/b.jpg\n\nphotos/a.jpg\n".replace("name", "whatever")),
        ("l.csv", "photos/b.jpg\nphotos/a.jpg\n"),
        ("l.tsv", "label\tfile\n1\tphotos/b.jpg\n1\tphotos/a.jpg\n"),
        ("L.CSV", "uri,path\nnowhere,photos/b.jpg\nnowhere,photos/a.jpg\n"),
    ],
)
def test_csv_lists(tree: Path, name: str, text: str) -> None:
    write(tree / name, text.encode())
    assert origins(name) == ["photos/b.jpg", "photos/a.jpg"]


def test_rows_without_a_path(tree: Path) -> None:
    write(tree / "l.csv", b"id,path\n1\n2,photos/b.jpg\n")
    rejected = Rejected()
    assert origins("l.csv", rejected) == ["photos/b.jpg"]
    assert rejected == {"": "empty_path"}


def test_lists_that_cannot_be_used(tree: Path) -> None:
    write(tree / "two.csv", b"id,label\n1,2\n")
    write(tree / "none.csv", b"")
    write(tree / "bad.parquet", b"PAR1 no")
    pq.write_table(pa.table({"path": [1, 2]}), "numbers.parquet")
    for name, message in {
        "two.csv": "id, label.*path, uri, file, filename, image, image_path, file_path",
        "none.csv": "no columns",
        "bad.parquet": "cannot be read",
        "numbers.parquet": "does not hold text",
    }.items():
        with pytest.raises(SourceError, match=message) as caught:
            list_files(name)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(name)


def test_parquet_lists(tree: Path) -> None:
    paths = ["photos/b.jpg", None, "photos/a.jpg"]
    for column in (pa.array(paths), pa.array(paths).dictionary_encode(), pa.array(paths, pa.large_string())):
        pq.write_table(pa.table({"n": [1, 2, 3], "FILENAME": column}), "l.parquet", row_group_size=1)
        rejected = Rejected()
        assert origins("l.parquet", rejected) == ["photos/b.jpg", "photos/a.jpg"]
        assert rejected == {"": "empty_path"}


def test_a_long_list_is_a_stream(tree: Path) -> None:
    write(tree / "l.txt", b"photos/b.jpg\n" * 2000)
    stream = list_files("l.txt")
    next(stream)
    tracemalloc.start()
    assert sum(1 for _ in stream) == 1999
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


KEYS = [
    "p/a b.jpg",
    "p/ü.jpg",
    "p/x%41.jpg",
    "p/h#q?.jpg",
    "p/sub/q.jpg",
    "p/sub-1/r.jpg",
    "p/.DS_Store",
    "p2/z",
    "o.jpg",
]


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos")
    for key in [*KEYS, "p/marker/", "lists/l.csv"]:
        client.put_object(Bucket="photos", Key=key, Body=key.encode())
    client.put_object(
        Bucket="photos", Key="lists/l.csv", Body=b"path\n../no.jpg\nin.jpg\ns3://photos/o.jpg\ns3://photos/p\n"
    )
    client.put_object(Bucket="photos", Key="lists/in.jpg", Body=b"1")
    yield "s3://photos"
    client.close()


def test_s3(bucket: str, tmp_path: Path) -> None:
    started = datetime.now(UTC)
    expected = ["p/a b.jpg", "p/h#q?.jpg", "p/sub-1/r.jpg", "p/sub/q.jpg", "p/x%41.jpg", "p/ü.jpg"]
    for source in (f"{bucket}/p", f"{bucket}/p/"):
        items = list(list_files(source))
        assert [i.origin for i in items] == [f"{bucket}/{key}" for key in expected]
        for item, key in zip(items, expected, strict=True):
            filesystem, path = fs.FileSystem.from_uri(item.uri)
            with filesystem.open_input_file(path) as file:
                assert file.read().decode() == key
            assert item.size_bytes == len(key.encode())
            assert abs((item.modified_at - started).total_seconds()) < 600
    assert origins(f"{bucket}/o.jpg") == [f"{bucket}/o.jpg"]
    assert origins(f"{bucket}/p2") == [f"{bucket}/p2/z"]
    assert origins(f"{bucket}/p/su") == [f"{bucket}/p/sub-1/r.jpg", f"{bucket}/p/sub/q.jpg"]
    assert len(origins(bucket)) == len(expected) + 4
    with pytest.raises(SourceError, match="nothing is there"):
        list_files(f"{bucket}/nowhere")
    with pytest.raises(SourceError, match="nothing is there"):
        list_files(f"{bucket}/nowhere/")
    with pytest.raises(SourceError, match="no such bucket"):
        list_files("s3://nobody-has-this/x")


def test_lists_with_objects(bucket: str, tmp_path: Path) -> None:
    rejected = Rejected()
    assert origins(f"{bucket}/lists/l.csv", rejected) == [f"{bucket}/lists/in.jpg", f"{bucket}/o.jpg"]
    assert rejected == {f"{bucket}/lists/../no.jpg": "missing", f"{bucket}/p": "not_a_file"}
    local = write(tmp_path / "a.jpg")
    write(tmp_path / "l.txt", f"{bucket}/o.jpg\na.jpg\n{bucket}/p/ü.jpg\n".encode())
    assert origins(str(tmp_path / "l.txt")) == [f"{bucket}/o.jpg", str(local), f"{bucket}/p/ü.jpg"]


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError) as caught:
        list(list_files(f"{bucket}/p"))
    assert "\n" not in str(caught.value)
