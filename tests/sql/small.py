"""A small real lake: cameras, positions, duplicates of three kinds, failures, labels, an awkward file name."""

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from imagelake.jobs import extract, ingest
from imagelake.lake.lake import Lake, create_lake
from tests.conftest import jpeg, picture

AWKWARD = "<script>alert('x')</script>&\"quoted\".jpg"


def with_exif(seed: int, model: str, date: str) -> bytes:
    """A JPEG as a camera writes it."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Canon", model, 6
    exif.get_ifd(0x8769).update({0x9003: date, 0x829D: IFDRational(28, 10), 0x8827: 200})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    file = io.BytesIO()
    picture(seed, 60, 40).save(file, "JPEG", exif=exif)
    return file.getvalue()


def png(seed: int, comment: str) -> bytes:
    """The same pixels, whatever the comment."""
    info = PngInfo()
    info.add_text("Comment", comment)
    file = io.BytesIO()
    picture(seed).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def pictures(folder: Path) -> Path:
    """12 images, one of them at three places, two with equal pixels, one cut short; and a text."""
    for i, kind in enumerate(("cats", "cats", "dogs", "dogs", "dogs", "birds")):
        path = folder / kind / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(i))
    (folder / "cats" / "again.jpg").write_bytes(jpeg(2))
    (folder / "birds" / "copy.jpg").write_bytes(jpeg(2))
    (folder / AWKWARD.replace("/", "\N{DIVISION SLASH}")).write_bytes(jpeg(50))
    for i, (model, date) in enumerate(
        (("Canon EOS 40D", "2008:05:30 15:56:01"), ("Canon EOS 5D", "2012:01:02 03:04:05"))
    ):
        (folder / f"camera{i}.jpg").write_bytes(with_exif(20 + i, model, date))
    (folder / "one.png").write_bytes(png(40, "one"))
    (folder / "two.png").write_bytes(png(40, "two"))
    (folder / "cut.jpg").write_bytes(jpeg(60)[:-80])
    (folder / "notes.txt").write_text("no picture")
    return folder


def build(folder: Path) -> Lake:
    """The lake, ingested and described."""
    lake = create_lake(str(folder / "my-lake"))
    source = pictures(folder / "photos")
    ingest.run(ingest.Config((str(source),), lake.root, labels_from_folders="animal", engine="local", quiet=True), lake)
    extract.run(extract.Config(lake.root, embed=("descriptor",), engine="local", quiet=True), lake)
    return lake
