"""Typed columns of a file: the raw values of its EXIF tags in, one value per column of the table `exif` out."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imagelake.extract.exif_values import (
    COLUMNS,
    apex_exposure_s,
    apex_f_number,
    clean_text,
    code,
    degrees,
    direction_deg,
    flash_fired,
    gps_time,
    in_range,
    iso_speed,
    moment,
)
from imagelake.extract.exif_wording import Ratio, Values

Raw = Mapping[str, Values]

_TEXTS = {"make": "Image Make", "model": "Image Model", "software": "Image Software"}
_NUMBERS = {
    "focal_length_mm": "FocalLength",
    "focal_length_35mm_mm": "FocalLengthIn35mmFilm",
    "f_number": "FNumber",
    "exposure_time_s": "ExposureTime",
    "exposure_bias_ev": "ExposureBiasValue",
    "brightness_ev": "BrightnessValue",
}
_CODES = {
    "light_source": "LightSource",
    "saturation": "Saturation",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "metering_mode": "MeteringMode",
    "white_balance": "WhiteBalance",
    "exposure_program": "ExposureProgram",
}
_UNKNOWN_RATIOS = {(-1, -1), (0xFFFFFFFF, 0xFFFFFFFF)}
_BELOW = {1, 3}  # GPSAltitudeRef: below sea level, below the ellipsoid (Exif 3.0)


def numbers(values: Values) -> list[float | None]:
    """Numbers of a tag; None for rationals that say "unknown" (zero denominator, or all bits set) and for texts."""
    return [] if isinstance(values, str | bytes) else [_number(value) for value in values]


def _number(value: Any) -> float | None:
    if isinstance(value, Ratio):
        return value[0] / value[1] if value[1] and value not in _UNKNOWN_RATIOS else None
    number = value[0] if isinstance(value, tuple) else value  # floats come as (float,)
    return number if math.isfinite(number) else None


class _Tags:
    """Look-up of raw values; some writers keep photographic tags in the first directory, as TIFF/EP does."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def values(self, name: str) -> Values:
        found = self.raw.get(f"EXIF {name}")
        return found if found is not None else self.raw.get(f"Image {name}", ())

    def number(self, name: str) -> float | None:
        return next(iter(numbers(self.values(name))), None)

    def text(self, name: str) -> str:
        return clean_text(self.values(name)) or ""


def fields_from_raw(raw: Raw, tags: Mapping[str, str]) -> dict[str, object]:
    """Typed columns of a picture.

    Args:
        raw: raw values by tag name, as `exif_reader.Parsed.raw` has them.
        tags: wording of all tags, for the settings that maker notes hold.

    Returns:
        A value or None for each of `COLUMNS`.
    """
    if not raw:
        return dict.fromkeys(COLUMNS)
    look = _Tags(raw)
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {column: clean_text(raw.get(name, "")) for column, name in _TEXTS.items()}
    row |= {column: look.text(name) or None for column, name in (("artist", "Artist"), ("copyright", "Copyright"))}
    row |= {column: in_range(column, look.number(name)) for column, name in _NUMBERS.items()}
    row |= {column: code(column, look.number(name)) for column, name in _CODES.items()}
    row["orientation"] = code("orientation", next(iter(numbers(raw.get("Image Orientation", ()))), None))
    row["lens"] = look.text("LensModel") or clean_text(raw.get("MakerNote LensModel", "")) or _canon_lens(tags)
    row["iso"] = _iso(look, tags)
    row["flash_fired"] = flash_fired(look.number("Flash"))
    row["max_aperture_f"] = in_range("max_aperture_f", apex_f_number(look.number("MaxApertureValue")))
    if row["f_number"] is None:
        row["f_number"] = in_range("f_number", apex_f_number(look.number("ApertureValue")))
    if row["exposure_time_s"] is None:
        row["exposure_time_s"] = in_range("exposure_time_s", apex_exposure_s(look.number("ShutterSpeedValue")))
    row["captured_at"], row["captured_at_has_offset"] = _captured(look)
    return row | _gps(raw)


def _canon_lens(tags: Mapping[str, str]) -> str | None:
    """The lens that Canon's code stands for; other makers keep plain numbers under that name."""
    text = tags.get("MakerNote LensType", "")
    return None if text in {"Unknown", "n/a"} or not any(map(str.isalpha, text)) else text


def _iso(look: _Tags, tags: Mapping[str, str]) -> int | None:
    """The first valid speed; before Exif 2.3 some cameras told it in the maker note alone."""
    candidates = [
        *numbers(look.values("ISOSpeedRatings")),
        *numbers(look.values("RecommendedExposureIndex")),
        *numbers(look.values("ISOSpeed")),
        *numbers(look.raw.get("MakerNote ISOSetting", ())),
    ]
    canon = tags.get("MakerNote ISO", "")
    if canon.isdecimal():
        candidates.append(float(canon[:10]))
    return next((iso for candidate in candidates if (iso := iso_speed(candidate)) is not None), None)


def _captured(look: _Tags) -> tuple[datetime | None, bool | None]:
    """DateTimeOriginal, else DateTimeDigitized, each with the fraction and the offset of its own."""
    for kind in ("Original", "Digitized"):
        text = look.text(f"DateTime{kind}")
        time, has_offset = moment(text, look.text(f"SubSecTime{kind}"), look.text(f"OffsetTime{kind}"))
        if time is not None:
            return time, has_offset
    return None, None


def _gps(raw: Raw) -> dict[str, object]:
    """Position: latitude and longitude are known together or not at all."""

    def get(name: str) -> list[float | None]:
        return numbers(raw.get(f"GPS GPS{name}", ()))

    def text(name: str) -> str:
        return clean_text(raw.get(f"GPS GPS{name}", "")) or ""

    lat = in_range("gps_lat", degrees(get("Latitude"), text("LatitudeRef"), "S"))
    lon = in_range("gps_lon", degrees(get("Longitude"), text("LongitudeRef"), "W"))
    altitude, reference = (next(iter(get(name)), None) for name in ("Altitude", "AltitudeRef"))
    if altitude is not None and reference in _BELOW:
        altitude = -altitude
    return {
        "gps_lat": lat if lon is not None else None,
        "gps_lon": lon if lat is not None else None,
        "gps_altitude_m": in_range("gps_altitude_m", altitude),
        "gps_direction_deg": direction_deg(next(iter(get("ImgDirection")), None)),
        "gps_at": gps_time(text("Date"), get("TimeStamp")),
    }
