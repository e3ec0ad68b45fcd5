"""EXIF of real files: against the published dump, against plain exifread, and as rows of the table."""

import io
import json
import logging
import math
import os
import re
import time
from functools import partial
from pathlib import Path

import duckdb
import exifread
import pyarrow as pa
import pytest
from PIL import Image

from imagelake.extract.exif import exif_row, fields_from_text, read_tags
from imagelake.extract.exif_values import COLUMNS

pytestmark = pytest.mark.skipif("IMAGELAKE_CORPUS" not in os.environ, reason="IMAGELAKE_CORPUS is unset")
CORPUS = Path(os.environ.get("IMAGELAKE_CORPUS", "."))
SCHEMA = Path(__file__).parents[2] / "schemas" / "exif.sql"

# The dump was printed by an earlier exifread, which found no EXIF where there is some: the first holds a bare TIFF
# header, the second has its EXIF behind 13 kB of other segments.
FOUND_SINCE = {"heic/mobile/HMD_Nokia_8.3_5G.heif": 27, "jpg/xmp/no_exif.jpg": 25}
# It also knew fewer words of maker notes. Per file: names that were numbers, values that were numbers, new names.
_CANON_AF = {"MakerNote Tag 0x0012"}
_LENS = {"MakerNote LensType"}
_P6000 = (
    {f"MakerNote Tag 0x{tag}" for tag in ("000A", "0021", "009D", "00BD")},
    {"MakerNote ActiveDLighting"},
    4,
)
_IPHONE = ({f"MakerNote Tag 0x000{tag}" for tag in "14567"}, set(), 5)
WORDED_SINCE: dict[str, tuple[set[str], set[str], int]] = {
    "heic/mobile/iphone_13_pro_max.heif": ({*_IPHONE[0], "MakerNote Tag 0x0014", "MakerNote Tag 0x002E"}, set(), 7),
    "jpg/Canon_DIGITAL_IXUS_400.jpg": (_CANON_AF, {*_LENS, "MakerNote Unknown"}, 24),
    "jpg/Canon_PowerShot_S40.jpg": (set(), _LENS, 13),
    "jpg/Nikon_COOLPIX_P1.jpg": ({"MakerNote Tag 0x000A", "MakerNote Tag 0x009D"}, set(), 2),
    "jpg/exif-org/canon-ixus.jpg": (set(), set(), 9),
    **{f"jpg/gps/DSCN00{number}.jpg": _P6000 for number in (10, 12, 21, 25, 27, 29, 38, 40, 42)},
    "jpg/hdr/canon_hdr_NO.jpg": (set(), _LENS, 13),
    "jpg/hdr/canon_hdr_YES.jpg": (set(), _LENS, 13),
    "jpg/hdr/iphone_hdr_NO.jpg": _IPHONE,
    "jpg/hdr/iphone_hdr_YES.jpg": _IPHONE,
    "jpg/tests/11-tests.jpg": (_CANON_AF, {*_LENS, "MakerNote Unknown"}, 24),
    "jpg/tests/22-canon_tags.jpg": (_CANON_AF, _LENS, 24),
    "jpg/tests/28-hex_value.jpg": (set(), _LENS, 2),
}
NOT_IN_FOLDER = {"jpg/mobile/HMD_Nokia_8.3_5G_hdr.jpg", "jpg/tests/46_UnicodeEncodeError.jpg"}
_IFDS = r"Image|Thumbnail|EXIF|GPS|Interoperability|MakerNote|IFD \d+|EXIF SubIFD\d+"
_TYPES = r"Byte|ASCII|Short|Long|Ratio|Signed [A-Za-z ]+|Undefined|Proprietary|IFD|[SD][a-z]+-Precision [^)]+\)"
_LINE = re.compile(rf"((?:{_IFDS}) .*?) \((?:{_TYPES})\):(.*)")


def trimmed(text: str) -> str:
    """The dump has lost the blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


def dump() -> dict[str, dict[str, str]]:
    files: dict[str, dict[str, str]] = {}
    tags: dict[str, str] = {}
    name = ""
    for line in (CORPUS / "exif" / "dump").read_text("utf-8", "surrogateescape").split("\n"):
        if line.startswith("Opening: "):
            tags, name = files.setdefault(line.split("/", 1)[1].strip(), {}), ""
        elif match := _LINE.fullmatch(line):
            name, tags[match[1].strip()] = match[1].strip(), match[2]
        elif name:
            tags[name] += "\n" + line
    return {file: {name: trimmed(value) for name, value in tags.items()} for file, tags in files.items()}


def plain(data: bytes, *, details: bool) -> dict[str, str]:
    tags = exifread.process_file(io.BytesIO(data), details=details, extract_thumbnail=False)
    return {name: tag.printable for name, tag in tags.items()}


def pillow_exif(path: Path) -> dict[int, object]:
    with Image.open(path) as image:
        return dict(image.getexif())


def pictures(*folders: str) -> list[Path]:
    files = (path for folder in folders for path in sorted((CORPUS / folder).rglob("*")))
    return [path for path in files if path.is_file() and path.name not in {"README", "dump"}]


@pytest.fixture(autouse=True)
def _quiet():
    """Plain exifread logs what it stumbles over."""
    logging.getLogger("exifread").setLevel(logging.CRITICAL)


def test_dump_is_understood():
    counts = {
        "Image Orientation": 83, "EXIF Flash": 59, "EXIF FNumber": 56, "EXIF FocalLength": 56,
        "EXIF ExposureTime": 53, "EXIF ExposureBiasValue": 53, "EXIF MaxApertureValue": 46,
        "EXIF ISOSpeedRatings": 44, "EXIF LightSource": 31, "EXIF Sharpness": 22, "EXIF Saturation": 20,
        "EXIF Contrast": 19, "EXIF BrightnessValue": 11,
    }  # fmt: skip
    files = dump()
    assert len(files) == 101
    assert {name: sum(name in tags for tags in files.values()) for name in counts} == counts


def test_every_file_of_the_dump():
    compared = 0
    for file, expected in dump().items():
        path = CORPUS / "exif" / file
        path = path if path.exists() else path.with_suffix(".HEIC")
        if not path.exists():
            assert file in NOT_IN_FOLDER
            continue
        got = {name.strip(): trimmed(value) for name, value in read_tags(path.read_bytes()).items()}
        compared += 1
        if file in FOUND_SINCE:
            assert (len(expected), len(got)) == (0, FOUND_SINCE[file]), file
            continue
        changed = {name for name in expected if name in got and got[name] != expected[name]}
        differences = (set(expected) - set(got), changed, len(set(got) - set(expected)))
        assert differences == WORDED_SINCE.get(file, (set(), set(), 0)), file
        assert all(name.startswith("MakerNote ") for name in set(got) ^ set(expected)), file
    assert compared == 99


@pytest.mark.parametrize("details", [True, False], ids=["maker_notes", "without"])
def test_same_tags_as_exifread(details):
    compared = 0
    for path in pictures("exif", "exif_brands", "odd"):
        data = path.read_bytes()
        tags = read_tags(data, maker_notes=details)
        if path.name == "no_exif.jpg":  # exifread does not look beyond the first 4 kB of other segments
            assert len(tags) == 25
            assert tags["Image DateTime"] == pillow_exif(path)[0x0132]
        else:
            assert tags == plain(data, details=details), path.name
        compared += 1
    assert compared == 152


def test_every_brand_gives_tags():
    files = pictures("exif_brands")
    assert len(files) == 41
    silent = {path.name for path in files if not read_tags(path.read_bytes())}
    assert silent == {path.name for path in files if not pillow_exif(path)}
    assert len(silent) == 7


def test_damaged_files_say_what_is_wrong():
    errors = {path.name: row["exif_error"] for path in pictures("broken") if (row := exif_row(path.read_bytes()))}
    assert {name: error for name, error in errors.items() if error} == {
        "crash-2020-10-test.tif": "directory IFD 3 reaches beyond the end of the file",
        "exif-ifd-offset.jpg": "directory IFD 2 reaches beyond the end of the file",
        "hopper_bad_exif.jpg": "directory Thumbnail reaches beyond the end of the file",
        "invalid-exif.jpg": "no byte order mark at the start of the EXIF block",
        "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "directory Image reaches beyond the end of the file",
    }
    row = exif_row((CORPUS / "broken" / "invalid-exif.jpg").read_bytes())
    assert (row["orientation"], row["software"]) == (1, "Adobe Photoshop CC 2017 (Macintosh)")


def test_rows_fit_the_table():
    rows = [exif_row(path.read_bytes()) for path in pictures("exif", "exif_brands", "broken")]
    columns = (*COLUMNS, "tags", "exif_error")
    assert {tuple(row) for row in rows} == {columns}
    times = {name: pa.timestamp("us", "UTC") for name in ("captured_at", "gps_at")}
    arrays = {name: [row[name] for row in rows] for name in COLUMNS}
    table = pa.table({name: pa.array(values, times.get(name)) for name, values in arrays.items()})
    maps = pa.array([list(row["tags"].items()) for row in rows], pa.map_(pa.string(), pa.string()))
    table = table.append_column("tags", maps).append_column("exif_error", [[row["exif_error"] for row in rows]])
    assert table.num_rows == len(rows) == 177
    with duckdb.connect() as lake:
        lake.execute(SCHEMA.read_text())
        lake.register("found", table)
        added = "lpad(row_number() over ()::varchar, 64, '0'), 1, 'file', 'r', now()"
        names = "image_id, version, source, run_id, computed_at"
        lake.execute(f"insert into exif ({names}, {', '.join(columns)}) select {added}, * from found")
        models = lake.sql("select count(*), count(tags['Image Model']), count(iso) from exif").fetchone()
        unset = lake.sql("select column_name from duckdb_columns() where table_name = 'exif' and comment is null")
        assert unset.fetchall() == []
    assert models == (177, 93, 73)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("exif/jpg/long_description.jpg", {"flash_fired": None}),  # Flash 9969
        ("exif/jpg/gps/DSCN0010.jpg", {
            "gps_lat": 43.46744833333334, "gps_lon": 11.885126666663888, "flash_fired": False,
            "exposure_time_s": 1 / 75, "f_number": 5.9, "iso": 64, "focal_length_mm": 24.0,
            "focal_length_35mm_mm": 112.0, "captured_at_has_offset": False, "model": "COOLPIX P6000",
        }),
        ("exif/heic/mobile/iphone_13_pro_max.HEIC", {
            "lens": "iPhone 13 Pro Max back triple camera 5.7mm f/1.5", "captured_at_has_offset": True,
            "brightness_ev": 51851 / 34780,
        }),
        ("exif_brands/GPS.jpg", {"iso": None, "focal_length_mm": None}),  # both 0
        ("broken/exif_gps.jpg", {"gps_lat": None, "gps_at": None, "exposure_time_s": None, "sharpness": None}),
    ],
)  # fmt: skip
def test_typed_columns(file, expected):
    row = exif_row((CORPUS / file).read_bytes())
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_orientation_samples():
    for kind in ("landscape", "portrait"):
        for number in range(1, 9):
            data = (CORPUS / "exif" / "jpg" / "orientation" / f"{kind}_{number}.jpg").read_bytes()
            assert exif_row(data)["orientation"] == number


def test_reply_of_flickr():
    reply = json.loads((CORPUS / "flickr" / "reply_photoexif_0.json").read_text())
    row = fields_from_text({entry["tag"]: entry["raw"]["_content"] for entry in reply["photo"]["exif"]})
    assert {name: value for name, value in row.items() if value is not None} == {
        "make": "NIKON CORPORATION", "model": "NIKON D750", "lens": "TAMRON 28-300mm F3.5-6.3 Di VC PZD A010N",
        "software": "NIKON D750 Ver.1.15", "focal_length_mm": 35.0, "focal_length_35mm_mm": 35.0, "f_number": 22.0,
        "exposure_time_s": 1 / 60, "iso": 100, "exposure_bias_ev": 0.0, "max_aperture_f": 3.9,
        "flash_fired": False, "light_source": 0, "saturation": 0, "contrast": 0, "sharpness": 0,
        "metering_mode": 5, "white_balance": 0, "exposure_program": 1, "captured_at_has_offset": True,
        "captured_at": row["captured_at"],
    }  # fmt: skip
    assert str(row["captured_at"]) == "2023-06-20 05:33:13.730000+00:00"


@pytest.mark.parametrize(("details", "factor"), [(True, 5.5), (False, 1.5)])
def test_faster_than_exifread(details, factor):
    """At a fifth and less of exifread's time; the rounds alternate, since machines change speed."""
    files = [path.read_bytes() for path in pictures("exif/jpg")]
    readers = {"exifread": partial(plain, details=details), "row": partial(exif_row, maker_notes=details)}
    best = dict.fromkeys(readers, math.inf)
    for _ in range(3):
        for name, read in readers.items():
            start = time.process_time()
            for data in files:
                read(data)
            best[name] = min(best[name], (time.process_time() - start) / len(files) * 1e3)
    ratio = best["exifread"] / best["row"]
    print(f"details={details}: exifread {best['exifread']:.2f} ms, row {best['row']:.2f} ms, {ratio:.1f} x")
    assert ratio > factor
