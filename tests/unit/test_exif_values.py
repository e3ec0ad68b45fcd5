"""Typed columns from raw values: units, APEX, ranges, codes, positions and times."""

import itertools
import math
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from imagelake.extract.exif_fields import fields_from_raw
from imagelake.extract.exif_values import CODES, COLUMNS, RANGES, clean_text, degrees, moment
from imagelake.extract.exif_wording import Ratio

SCHEMA = Path(__file__).parents[2] / "schemas" / "exif.sql"


def column(name: str, **raw: object) -> object:
    """One column of a picture with the given EXIF tags."""
    return fields_from_raw({f"EXIF {tag}": value for tag, value in raw.items()}, {})[name]


def rational(num: int, den: int) -> list[Ratio]:
    return [Ratio((num, den))]


@pytest.mark.parametrize(
    ("name", "tag", "value", "expected"),
    [
        ("focal_length_mm", "FocalLength", rational(50, 1), 50.0),
        ("focal_length_mm", "FocalLength", rational(0, 1), None),
        ("focal_length_mm", "FocalLength", rational(50, 0), None),
        ("focal_length_mm", "FocalLength", "50", None),
        ("focal_length_mm", "FocalLength", [(35.5,)], 35.5),
        ("focal_length_mm", "FocalLength", [(math.nan,)], None),
        ("focal_length_mm", "FocalLength", (), None),
        ("focal_length_35mm_mm", "FocalLengthIn35mmFilm", (0,), None),
        ("focal_length_35mm_mm", "FocalLengthIn35mmFilm", (28,), 28.0),
        ("f_number", "FNumber", rational(28, 10), 2.8),
        ("f_number", "FNumber", rational(0xFFFFFFFF, 0xFFFFFFFF), None),
        ("f_number", "ApertureValue", rational(4, 1), 4.0),
        ("exposure_time_s", "ExposureTime", rational(10, 600), 1 / 60),
        ("exposure_time_s", "ExposureTime", rational(0, 1), None),
        ("exposure_time_s", "ExposureTime", rational(0xFFFFFFFF, 1), None),
        ("exposure_time_s", "ShutterSpeedValue", rational(6, 1), 1 / 64),
        ("exposure_time_s", "ShutterSpeedValue", rational(-1, 1), 2.0),
        ("exposure_time_s", "ShutterSpeedValue", rational(2**31 - 1, 1), None),
        ("exposure_bias_ev", "ExposureBiasValue", rational(-2, 3), -2 / 3),
        ("exposure_bias_ev", "ExposureBiasValue", rational(0, 0), None),
        ("exposure_bias_ev", "ExposureBiasValue", rational(31, 1), None),
        ("brightness_ev", "BrightnessValue", rational(-1, -1), None),
        ("brightness_ev", "BrightnessValue", rational(100, 1), None),
        ("max_aperture_f", "MaxApertureValue", rational(3, 1), 2**1.5),
        ("max_aperture_f", "MaxApertureValue", rational(1000, 1), None),
        ("iso", "ISOSpeedRatings", (100,), 100),
        ("iso", "ISOSpeedRatings", (0,), None),
        ("iso", "ISOSpeedRatings", (65535,), None),
        ("iso", "ISOSpeedRatings", (0, 400), 400),
        ("iso", "ISOSpeed", (200,), 200),
        ("flash_fired", "Flash", (0,), False),
        ("flash_fired", "Flash", (1,), True),
        ("flash_fired", "Flash", (16,), False),
        ("flash_fired", "Flash", (24,), False),
        ("flash_fired", "Flash", (25,), True),
        ("flash_fired", "Flash", (32,), False),
        ("flash_fired", "Flash", (9969,), None),
        ("light_source", "LightSource", (16,), 16),
        ("light_source", "LightSource", (5,), None),
        ("light_source", "LightSource", (255,), 255),
        ("saturation", "Saturation", (3,), None),
        ("contrast", "Contrast", (2,), 2),
        ("sharpness", "Sharpness", (1,), 1),
        ("metering_mode", "MeteringMode", (7,), None),
        ("metering_mode", "MeteringMode", (255,), 255),
        ("white_balance", "WhiteBalance", (1,), 1),
        ("exposure_program", "ExposureProgram", (9,), None),
        ("artist", "Artist", "  A. Person \x00", "A. Person"),
        ("copyright", "Copyright", b"\xa9 2020", "© 2020"),
        ("copyright", "Copyright", "   ", None),
        ("lens", "LensModel", "EF 50mm", "EF 50mm"),
    ],
)
def test_one_tag(name, tag, value, expected):
    got = column(name, **{tag: value})
    assert got == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert type(got) is type(expected)


def test_direct_tags_beat_apex():
    assert column("f_number", FNumber=rational(2, 1), ApertureValue=rational(4, 1)) == 2.0
    assert column("f_number", FNumber=rational(0, 1), ApertureValue=rational(4, 1)) == 4.0
    assert column("exposure_time_s", ExposureTime=rational(1, 2), ShutterSpeedValue=rational(6, 1)) == 0.5


def test_wider_tags_tell_what_does_not_fit():
    assert column("iso", ISOSpeedRatings=(65535,), RecommendedExposureIndex=(102400,)) == 102400


def test_orientation_is_that_of_the_picture():
    assert fields_from_raw({"EXIF Orientation": (3,)}, {})["orientation"] is None
    found = [fields_from_raw({"Image Orientation": (code,)}, {})["orientation"] for code in range(10)]
    assert found == [None, *range(1, 9), None]


def test_maker_notes_fill_in():
    raw = {"Image Make": "x", "MakerNote ISOSetting": (0, 200)}
    assert fields_from_raw(raw, {})["iso"] == 200
    assert fields_from_raw({"Image Make": "x"}, {"MakerNote ISO": "400"})["iso"] == 400
    lenses = {"Canon EF 50mm": "Canon EF 50mm", "n/a": None, "Unknown": None, "14": None}
    assert {text: fields_from_raw(raw, {"MakerNote LensType": text})["lens"] for text in lenses} == lenses


@pytest.mark.parametrize(
    ("text", "subsecond", "offset", "expected"),
    [
        ("2023:06:20 07:33:13", "", "", ("2023-06-20T07:33:13+00:00", False)),
        ("2023:06:20 07:33:13", "73", "+02:00", ("2023-06-20T05:33:13.730000+00:00", True)),
        ("2023:06:20 07:33:13", "0000019", "-03:30", ("2023-06-20T11:03:13.000001+00:00", True)),
        ("2023:06:20 07:33:13", "x", "Z", ("2023-06-20T07:33:13+00:00", True)),
        ("2023:06:20 07:33:13", "", "   :  ", ("2023-06-20T07:33:13+00:00", False)),
        ("2023:06:20 07:33:13", "", "+99:00", ("2023-06-20T07:33:13+00:00", False)),
        ("2023-06-20T07:33:13.5+0200", "", "", ("2023-06-20T05:33:13.500000+00:00", True)),
        ("2004: 1: 2  3: 4: 5", "", "", ("2004-01-02T03:04:05+00:00", False)),
        ("2023:06:20 07:33", "", "", ("2023-06-20T07:33:00+00:00", False)),
        ("0000:00:00 00:00:00", "", "", None),
        ("    :  :     :  :  ", "", "", None),
        ("2023:02:30 07:33:13", "", "", None),
        ("2023:06:20 24:00:00", "", "", None),
        ("9999:12:31 23:59:59", "", "-12:00", None),
        ("", "", "", None),
        ("yesterday", "", "", None),
    ],
)
def test_moment(text, subsecond, offset, expected):
    time, has_offset = moment(text, subsecond, offset)
    assert (time.isoformat(), has_offset) == expected if expected else (time, has_offset) == (None, None)


def test_digitized_counts_with_its_own_offset():
    raw = {
        "EXIF DateTimeOriginal": "0000:00:00 00:00:00",
        "EXIF OffsetTimeOriginal": "+05:00",
        "EXIF SubSecTimeOriginal": "9",
        "EXIF DateTimeDigitized": "2020:01:02 03:04:05",
    }
    row = fields_from_raw(raw, {})
    assert (row["captured_at"], row["captured_at_has_offset"]) == (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), False)


def gps(**tags: object) -> dict[str, object]:
    row = fields_from_raw({f"GPS GPS{tag}": value for tag, value in tags.items()}, {})
    return {name: value for name, value in row.items() if value is not None}


def dms(*values: int) -> list[Ratio]:
    return [Ratio((value, 10)) for value in values]


def test_position():
    here = {"LatitudeRef": "S", "Latitude": dms(330, 540, 60), "LongitudeRef": "W", "Longitude": dms(180, 300, 0)}
    assert gps(**here) == {"gps_lat": pytest.approx(-33.901667, abs=1e-6), "gps_lon": -18.5}
    for wrong in (
        {"Latitude": dms(910, 0, 0)}, {"Latitude": dms(330, 990, 0)}, {"LatitudeRef": ""}, {"LatitudeRef": "E"},
        {"Longitude": [Ratio((18, 1)), Ratio((0, 0)), Ratio((0, 0))]}, {"Longitude": dms(1800, 300, 0)},
        {"Longitude": ()}, {"Longitude": "18"},
    ):  # fmt: skip
        assert gps(**here | wrong) == {}, wrong


def test_altitude_direction_and_time():
    assert gps(Altitude=rational(355, 10)) == {"gps_altitude_m": 35.5}
    assert gps(Altitude=rational(355, 10), AltitudeRef=(1,)) == {"gps_altitude_m": -35.5}
    assert gps(Altitude=rational(0xFFFFFFFF, 1)) == {}
    assert gps(ImgDirection=rational(360, 1)) == {"gps_direction_deg": 0.0}
    assert gps(ImgDirection=rational(361, 1)) == {}
    clock = [Ratio((7, 1)), Ratio((30, 1)), Ratio((145, 10))]
    assert gps(Date="2022:01:12", TimeStamp=clock) == {"gps_at": datetime(2022, 1, 12, 7, 30, 14, 500_000, tzinfo=UTC)}
    assert gps(Date="0000:00:00", TimeStamp=clock) == {}
    assert gps(Date="2022:01:12", TimeStamp=clock[:2]) == {}
    assert gps(Date="2022:01:12", TimeStamp=[Ratio((25, 1)), *clock[1:]]) == {}


def test_degrees_of_fewer_parts():
    assert degrees([33.5], "south", "S") == -33.5
    assert degrees([33.0, 30.0], "N", "S") == 33.5
    assert degrees([-33.0], "N", "S") is None
    assert degrees([], "N", "S") is None


def test_clean_text():
    assert clean_text("a\tb\r\n") == "a b"
    assert clean_text((1, 2)) is None


def test_table_allows_the_same_ranges():
    """Each end of each range and each code is accepted by the table's checks, and what lies beyond is not."""
    step = {"gps_direction_deg": (0, math.nextafter(360, 0))}
    allowed = {name: step.get(name, ends) for name, ends in RANGES.items()}
    with duckdb.connect() as lake:
        lake.execute(SCHEMA.read_text())
        versions = itertools.count(1)

        def accepts(name: str, value: float) -> bool:
            names = f"image_id, {name}, tags, version, source, run_id, computed_at"
            values = "repeat('0', 64), ?, map(), ?, 'f', 'r', now()"
            try:
                lake.execute(f"insert into exif ({names}) values ({values})", [value, next(versions)])
            except duckdb.ConstraintException:
                return False
            return True

        for name, (low, high) in allowed.items():
            assert accepts(name, low), name
            assert accepts(name, high), name
            assert not accepts(name, math.nextafter(low, -math.inf)), name
            assert not accepts(name, math.nextafter(high, math.inf)), name
        for name, codes in CODES.items():
            assert {code for code in (*range(-1, 27), 254, 255, 256, 65535) if accepts(name, code)} == codes, name
    assert set(RANGES) | set(CODES) < set(COLUMNS)
