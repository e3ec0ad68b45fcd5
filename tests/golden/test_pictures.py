"""Real files: pixel hashes of the tagging tools, orientations, and damaged files in a bounded process."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from imagelake.errors import BadItem
from imagelake.extract.hashes import hamming, perceptual_hashes, pixel_hash
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import Picture, open_picture
from imagelake.image.header import read_header

FOLDER = os.environ.get("IMAGELAKE_CORPUS", "")
CORPUS = Path(FOLDER or ".")
pytestmark = pytest.mark.skipif(not FOLDER, reason="IMAGELAKE_CORPUS is not set")

# What each file that is no picture is refused for; every other file of these two folders is a picture.
REFUSED = {
    "broken.png": "corrupt",
    "broken_data_stream.png": "corrupt",
    "crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": "corrupt",
    "crash-2020-10-test.tif": "corrupt",
    "crash-7d4c83eb92150fb8f1653a697703ae06ae7c4998.j2k": "corrupt",
    "decompression_bomb.gif": "too_many_pixels",
    "decompression_bomb.ico": "unsupported_format",
    "la.tga": "unsupported_format",
    "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "corrupt",
    "png_decompression_dos.png": "corrupt",
    "timeout-1ee28a249896e05b83840ae8140622de8e648ba9.psd": "unsupported_format",
    "truncated_end_chunk.png": "truncated",
    "truncated_image.png": "truncated",
    "truncated_jpeg.jpg": "truncated",
    "zero_height.j2k": "zero_size",
    "zero_width.gif": "zero_size",
}

CHILD = """
import json, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from imagelake.errors import BadItem
from imagelake.extract.hashes import perceptual_hashes, pixel_hash
from imagelake.extract.thumbnails import thumbnail
from imagelake.image.decode import open_picture
from imagelake.image.header import read_header
outcomes = {}
for folder in sys.argv[1:]:
    for path in sorted(pathlib.Path(folder).iterdir()):
        data = path.read_bytes()
        try:
            header = read_header(data)
            picture = open_picture(data, full=True, min_side_px=10**6)
            assert picture.rgb.mode == "RGB" and sorted(picture.rgb.size) == sorted(header[1:3])
            perceptual_hashes(picture.small), pixel_hash(picture.native), thumbnail(picture)
            outcomes[path.name] = "picture"
        except BadItem as error:
            outcomes[path.name] = error.reason
usage = resource.getrusage(resource.RUSAGE_SELF)
# not ru_maxrss, which begins at what the parent had when it forked
status = pathlib.Path("/proc/self/status").read_text().splitlines()
(rss,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
print(json.dumps({"outcomes": outcomes, "rss_kib": int(rss), "cpu_s": usage.ru_utime + usage.ru_stime}))
"""


def pictures(pattern: str) -> list[Path]:
    found = sorted(CORPUS.glob(pattern))
    assert found
    return found


def test_24_of_24_pixel_hashes_of_the_tagging_tools() -> None:
    expected = json.loads((CORPUS / "tagging" / "input-metadata.json").read_text())
    files = [path for path in pictures("tagging/tagged/**/*") if path.is_file()]
    found = {pixel_hash(open_picture(path.read_bytes(), full=True).native) for path in files}
    assert len(files) == 24
    assert found == set(expected)


def test_native_pixels_are_those_of_pillow() -> None:
    count = 0
    for path in pictures("exif/jpg/*.jpg") + pictures("odd/*") + pictures("exif/tiff/*.tiff"):
        try:
            native = open_picture(path.read_bytes(), full=True).native
        except BadItem:
            continue
        with Image.open(path) as image:
            assert pixel_hash(native) == hashlib.blake2b(image.tobytes()).hexdigest(), path.name
        count += 1
    assert count >= 35


def test_damaged_and_odd_files_in_bounded_memory_and_time() -> None:
    library = str(Path(sys.modules["imagelake"].__path__[0]).parent)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(CORPUS / "broken"), str(CORPUS / "odd")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": library},
    )
    assert (run.returncode, run.stderr) == (0, "")
    result = json.loads(run.stdout)
    assert {name: reason for name, reason in result["outcomes"].items() if reason != "picture"} == REFUSED
    assert len(result["outcomes"]) == len(pictures("broken/*")) + len(pictures("odd/*"))
    assert result["rss_kib"] < 1 << 20
    assert result["cpu_s"] < 30


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(picture.small).astype(float)


@pytest.mark.parametrize(
    ("pattern", "count", "limit"),
    [
        ("exif/jpg/orientation/landscape_?.jpg", 8, 5.0),
        ("exif/jpg/orientation/portrait_?.jpg", 8, 5.0),
        ("broken/hopper_orientation_?.jpg", 7, 5.0),
    ],
)
def test_all_orientations_look_alike(pattern: str, count: int, limit: float) -> None:
    opened = [open_picture(path.read_bytes()) for path in pictures(pattern)]
    assert len(opened) == count
    assert {picture.orientation for picture in opened} == set(range(9 - count, 9))
    first = opened[0]
    for picture in opened[1:]:
        assert np.abs(pixels(picture) - pixels(first)).mean() < limit
        ours, theirs = perceptual_hashes(picture.small), perceptual_hashes(first.small)
        assert hamming(ours.phash, theirs.phash) <= 4
        assert (thumbnail(picture).width_px, thumbnail(picture).height_px) == first.small.size


def test_reduced_decodes_hash_like_full_ones() -> None:
    distances, to_imagehash = [], []
    for path in pictures("exif/jpg/*/*.jp*g") + pictures("tagging/tagged/*/*.jpg"):
        data = path.read_bytes()
        try:
            reduced, full = open_picture(data), open_picture(data, full=True, min_side_px=10**6)
        except BadItem:
            continue
        if min(full.header.width, full.header.height) < 200:
            continue
        one, other = perceptual_hashes(reduced.small), perceptual_hashes(full.small)
        distances.append([hamming(a, b) for a, b in zip(one, other, strict=True)])
        to_imagehash.append(hamming(one.dhash, int(str(imagehash.dhash(full.rgb)), 16)))
    assert len(distances) > 60
    means = np.mean(distances, axis=0)
    assert means[0] < 0.3
    assert max(means) < 0.7
    assert np.max(distances) <= 5
    assert np.mean(to_imagehash) < 1.2


def test_heic_files() -> None:
    pytest.importorskip("pi_heif")
    for path in pictures("exif/heic/**/*.[hH][eE]*"):
        data = path.read_bytes()
        header = read_header(data)
        assert header.format == "HEIF"
        picture = open_picture(data)
        assert picture.orientation == 1  # the decoder turns by the container's own rotation
        assert max(picture.small.size) == 256
        assert np.asarray(picture.small).std() > 10


def test_profiles_change_colours_of_the_files_that_have_one() -> None:
    with_profile = 0
    for path in pictures("exif/jpg/orientation/*.jpg"):
        picture = open_picture(path.read_bytes(), full=True, min_side_px=10**6)
        stored, shown = (np.asarray(image).mean(axis=(0, 1)) for image in (picture.native, picture.rgb))
        shift = np.abs(stored - shown).max()  # of the mean colour, which no turn changes
        if "icc_profile" in picture.native.info:
            with_profile += 1
            assert 1 < shift < 30
        else:
            assert shift < 1e-9
    assert with_profile == 14
