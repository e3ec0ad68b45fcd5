"""Pictures for `make demo`: photographs that ship inside scikit-image and scikit-learn, and copies made of them.

Usage: python demo/pictures.py FOLDER
Makes FOLDER/photos (the files as they ship), FOLDER/copies (re-encoded, reduced, rotated by pixels and by EXIF tag),
FOLDER/scans.zip (a zip with a zip inside) and one truncated file. Does nothing where FOLDER exists.
"""

import io
import sys
import zipfile
from importlib import resources
from pathlib import Path

from PIL import ExifTags, Image

PHOTOS = {
    "skimage.data": (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
        "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png",
        "retina.jpg", "rocket.jpg", "text.png", "multipage.tif", "no_time_for_that_tiny.gif",
    ),
    "sklearn.datasets.images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
COPIED = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")


def main(folder: Path) -> None:
    """Make the pictures."""
    if folder.exists():
        return
    photos = folder / "photos"
    for package, names in PHOTOS.items():
        target = photos / package.partition(".")[0]
        target.mkdir(parents=True)
        for name in names:
            (target / name).write_bytes(resources.files(package).joinpath(name).read_bytes())
    for month, path in enumerate(sorted(p for p in photos.rglob("*") if p.stem in COPIED), 1):
        copies(path, folder / "copies" / path.stem, f"2024:{month:02}:15 12:00:00")
    archive(folder)
    whole = (photos / "skimage" / "rocket.jpg").read_bytes()
    (folder / "copies" / "truncated.jpg").write_bytes(whole[: len(whole) // 2])


def copies(path: Path, target: Path, taken: str) -> None:
    """Other files of the same picture: re-encoded, half the size, lying, and lying with an EXIF tag that says so."""
    target.mkdir(parents=True)
    picture = Image.open(path).convert("RGB")
    picture.save(target / "quality40.jpg", quality=40)
    picture.save(target / "webp.webp", quality=80)
    picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS).save(target / "half.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(target / "rotated.jpg", quality=90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the camera was turned: show it 90 degrees clockwise
    exif[ExifTags.Base.Software] = "imagelake demo"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    picture.transpose(Image.Transpose.ROTATE_90).save(target / "orientation6.jpg", quality=90, exif=exif)


def archive(folder: Path) -> None:
    """A zip with two pictures and a zip in it, whose picture is the same bytes as a file outside."""
    photos = folder / "photos" / "skimage"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.write(photos / "coffee.png", "cups/coffee.png")
    with zipfile.ZipFile(folder / "scans.zip", "w") as file:
        file.write(photos / "page.png", "page.png")
        file.write(photos / "text.png", "text.png")
        file.writestr("inner.zip", inner.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
