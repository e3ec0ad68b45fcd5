"""Typed columns from the wording of Flickr, exiftool and MIRFLICKR."""

from datetime import UTC, datetime

import pytest

from imagelake.extract.exif import fields_from_text
from imagelake.extract.exif_text import number
from imagelake.extract.exif_values import COLUMNS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/60", 1 / 60), ("50/1", 50.0), ("0.01 sec (1/100)", 0.01), ("0.017 sec (1/60)", 1 / 60), ("f/2.8", 2.8),
        ("F2.8", 2.8), ("35.0 mm", 35.0), ("+1/3 EV", 1 / 3), ("-0.7 EV", -0.7), ("0 EV", 0.0), ("1e-05", 1e-5),
        (".5", 0.5), (100, 100.0), (2.8, 2.8), ("100, 0", 100.0), ("35 mm (5/1)", 35.0), ("inf", None),
        ("+Inf", None), ("undef", None), ("1/0", None), ("", None), (None, None), (float("nan"), None), (10**400, None),
        ("9" * 400, 1e18 - 1), ("1e999", None), ("1/1e999", 0.0),
    ],
)  # fmt: skip
def test_number(text, expected):
    assert number(text) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("tag", "value", "column", "expected"),
    [
        ("FocalLength", "35.0 mm", "focal_length_mm", 35.0),
        ("FocalLength", "50/1", "focal_length_mm", 50.0),
        ("FocalLengthIn35mmFormat", "0 mm", "focal_length_35mm_mm", None),
        ("FocalLengthIn35mmFilm", 28, "focal_length_35mm_mm", 28.0),
        ("Focal Length (35mm format)", "28 mm", "focal_length_35mm_mm", 28.0),
        ("Aperture", "f/2.8", "f_number", 2.8),
        ("EXIF FNumber", "28/10", "f_number", 2.8),
        ("ApertureValue", "2.8", "f_number", 2.8),
        ("-Exposure", "0.01 sec (1/100)", "exposure_time_s", 0.01),
        ("ShutterSpeedValue", "1/60", "exposure_time_s", 1 / 60),
        ("ExposureTime", "0", "exposure_time_s", None),
        ("ISOSpeed", "100", "iso", 100),
        ("ISO", "+Inf", "iso", None),
        ("ISO", 65535, "iso", None),
        ("PhotographicSensitivity", 200, "iso", 200),
        ("-Exposure Bias", "+1/3 EV", "exposure_bias_ev", 1 / 3),
        ("ExposureCompensation", "0", "exposure_bias_ev", 0.0),
        ("BrightnessValue", "undef", "brightness_ev", None),
        ("MaxApertureValue", "3.9", "max_aperture_f", 3.9),  # an F number here, not APEX
        ("MaximumLensAperture", "f/3.5", "max_aperture_f", 3.5),
        ("Flash", "Off, Did not fire", "flash_fired", False),
        ("Flash", "No Flash", "flash_fired", False),
        ("Flash", "Flash did not fire, auto mode", "flash_fired", False),
        ("Flash", "No flash function", "flash_fired", False),
        ("Flash", "Auto, Did not fire, Red-eye reduction", "flash_fired", False),
        ("Flash", "On, Did not fire", "flash_fired", False),
        ("Flash", "Off, Red-eye reduction", "flash_fired", False),
        ("Flash", "Fired", "flash_fired", True),
        ("Flash", "On, Return not detected", "flash_fired", True),
        ("Flash", "Auto, Fired, Red-eye reduction", "flash_fired", True),
        ("Flash", "Strobe return light detected", "flash_fired", True),
        ("Flash", "16", "flash_fired", False),
        ("Flash", 24, "flash_fired", False),
        ("Flash", 9, "flash_fired", True),
        ("Flash", "9969", "flash_fired", None),
        ("Flash", "Unknown", "flash_fired", None),
        ("Orientation", "Rotate 90 CW", "orientation", 6),
        ("Orientation", "Rotated 90 CW", "orientation", 6),
        ("Orientation", "Horizontal (normal)", "orientation", 1),
        ("Orientation", "Mirror horizontal and rotate 270 CW", "orientation", 5),
        ("Orientation", "Mirrored horizontal then rotated 90 CW", "orientation", 7),
        ("Orientation", "Rotate 270 CW", "orientation", 8),
        ("Orientation", "8", "orientation", 8),
        ("Orientation", 0, "orientation", None),
        ("Orientation", "9", "orientation", None),
        ("Thumbnail Orientation", "Rotate 90 CW", "orientation", None),
        ("LightSource", "Fine Weather", "light_source", 9),
        ("LightSource", "Standard Light A", "light_source", 17),
        ("LightSource", "D65", "light_source", 21),
        ("LightSource", "Daylight Fluorescent", "light_source", 12),
        ("LightSource", "255", "light_source", 255),
        ("Saturation", "Low", "saturation", 1),
        ("Saturation", "High", "saturation", 2),
        ("Saturation", "Auto", "saturation", None),
        ("Contrast", "Soft", "contrast", 1),
        ("Contrast", "1", "contrast", 1),
        ("Sharpness", "Hard", "sharpness", 2),
        ("MeteringMode", "Multi-segment", "metering_mode", 5),
        ("MeteringMode", "Center-weighted average", "metering_mode", 2),
        ("WhiteBalance", "Manual", "white_balance", 1),
        ("ExposureProgram", "Aperture-priority AE", "exposure_program", 3),
        ("ExposureProgram", "Bulb", "exposure_program", None),
        ("Model", "NIKON D750", "model", "NIKON D750"),
        ("Camera Model", "NIKON D750", "model", "NIKON D750"),
        ("LensID", "236", "lens", None),
        ("Lens", "18-70mm", "lens", "18-70mm"),
        ("Copyright", " ", "copyright", None),
    ],
)
def test_one_tag(tag, value, column, expected):
    got = fields_from_text({tag: value})
    assert tuple(got) == COLUMNS
    assert {name for name, value in got.items() if value is not None} == ({column} if expected is not None else set())
    assert got[column] == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert type(got[column]) is type(expected)


def test_the_preferred_readable_name_counts():
    assert fields_from_text({"Exposure": "1/30", "ExposureTime": "1/60"})["exposure_time_s"] == 1 / 60
    assert fields_from_text({"Exposure": "1/30", "ExposureTime": "?"})["exposure_time_s"] == 1 / 30
    assert fields_from_text({"ISO": "0", "ISOSpeed": "400"})["iso"] == 400


def test_times():
    row = fields_from_text(
        {"DateTimeOriginal": "2023:06:20 07:33:13", "SubSecTimeOriginal": 73, "OffsetTimeOriginal": "+02:00"}
    )
    assert row["captured_at"] == datetime(2023, 6, 20, 5, 33, 13, 730_000, tzinfo=UTC)
    assert row["captured_at_has_offset"] is True
    row = fields_from_text({"DateTimeOriginal": "0000:00:00 00:00:00", "CreateDate": "2023:06:20 07:33:13+02:00"})
    assert row["captured_at"] == datetime(2023, 6, 20, 5, 33, 13, tzinfo=UTC)
    row = fields_from_text({"Date and Time (Original)": "2023:06:20 07:33:13", "ModifyDate": "2024:01:01 00:00:00"})
    assert row["captured_at"] == datetime(2023, 6, 20, 7, 33, 13, tzinfo=UTC)
    assert row["captured_at_has_offset"] is False


def test_position():
    text = {"GPSLatitude": "33 deg 54' 6.00\" S", "GPSLongitude": "18 deg 30' 0.00\" E"}
    row = fields_from_text(text)
    assert (row["gps_lat"], row["gps_lon"]) == (pytest.approx(-33.901667, abs=1e-6), 18.5)
    apart = {name: value[:-2] for name, value in text.items()}
    assert fields_from_text(apart)["gps_lat"] is None
    row = fields_from_text(apart | {"GPSLatitudeRef": "South", "GPSLongitudeRef": "East"})
    assert (row["gps_lat"], row["gps_lon"]) == (pytest.approx(-33.901667, abs=1e-6), 18.5)
    row = fields_from_text({"GPSLatitude": -33.5, "GPSLongitude": "18.5"})
    assert (row["gps_lat"], row["gps_lon"]) == (-33.5, 18.5)
    assert fields_from_text({"GPSLatitude": -93.5, "GPSLongitude": "18.5"})["gps_lon"] is None


def test_altitude_direction_and_time():
    row = fields_from_text({
        "GPSAltitude": "3.5 m", "GPSAltitudeRef": "Below Sea Level", "GPSImgDirection": "360",
        "GPSDateStamp": "2022:01:12", "GPSTimeStamp": "07:30:14",
    })  # fmt: skip
    assert (row["gps_altitude_m"], row["gps_direction_deg"]) == (-3.5, 0.0)
    assert row["gps_at"] == datetime(2022, 1, 12, 7, 30, 14, tzinfo=UTC)
    assert fields_from_text({"GPSAltitude": "35.6 m Above Sea Level"})["gps_altitude_m"] == 35.6
    assert fields_from_text({"GPSAltitude": "35.6", "GPSAltitudeRef": 1})["gps_altitude_m"] == -35.6


def test_nothing_known():
    assert fields_from_text({}) == dict.fromkeys(COLUMNS)
