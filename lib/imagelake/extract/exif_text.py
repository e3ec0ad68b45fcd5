"""Typed columns from texts: raw values as Flickr and exiftool word them in, columns of the table `exif` out."""

import math
import re
from collections.abc import Mapping

from imagelake.extract.exif_values import (
    COLUMNS,
    RANGES,
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

Text = str | int | float

# Names of each column's tag, the preferred one first, in lower case without blanks and punctuation.
_NAMES: dict[str, tuple[str, ...]] = {
    "make": ("make", "cameramake"),
    "model": ("model", "cameramodel", "cameramodelname"),
    "lens": ("lensmodel", "lens", "lensid"),
    "software": ("software",),
    "focal_length_mm": ("focallength",),
    "focal_length_35mm_mm": ("focallengthin35mmformat", "focallengthin35mmfilm", "focallength35mmformat"),
    "f_number": ("fnumber", "aperture"),
    "exposure_time_s": ("exposuretime", "exposure", "shutterspeed"),
    "iso": ("photographicsensitivity", "isospeedratings", "iso", "isospeed", "recommendedexposureindex"),
    "exposure_bias_ev": ("exposurecompensation", "exposurebiasvalue", "exposurebias"),
    "brightness_ev": ("brightnessvalue", "brightness"),
    "max_aperture_f": ("maxaperturevalue", "maximumlensaperture", "maxaperture"),
    "flash_fired": ("flash",),
    "orientation": ("orientation",),
    "light_source": ("lightsource",),
    "saturation": ("saturation",),
    "contrast": ("contrast",),
    "sharpness": ("sharpness",),
    "metering_mode": ("meteringmode",),
    "white_balance": ("whitebalance",),
    "exposure_program": ("exposureprogram",),
    "artist": ("artist",),
    "copyright": ("copyright",),
}
_UPRIGHT = ("horizontalnormal", "normal", "topleft")
_LIGHTS = {
    "unknown": 0, "daylight": 1, "fluorescent": 2, "tungsten": 3, "tungstenincandescent": 3,
    "tungstenincandescentlight": 3, "flash": 4, "fineweather": 9, "cloudy": 10, "cloudyweather": 10, "shade": 11,
    "daylightfluorescent": 12, "daywhitefluorescent": 13, "coolwhitefluorescent": 14, "whitefluorescent": 15,
    "warmwhitefluorescent": 16, "standardlighta": 17, "standardlightb": 18, "standardlightc": 19, "d55": 20,
    "d65": 21, "d75": 22, "d50": 23, "isostudiotungsten": 24, "other": 255, "otherlightsource": 255,
}  # fmt: skip
_WORDS: dict[str, dict[str, int]] = {
    "orientation": {
        **dict.fromkeys(_UPRIGHT, 1), "mirrorhorizontal": 2, "mirroredhorizontal": 2, "rotate180": 3,
        "rotated180": 3, "mirrorvertical": 4, "mirroredvertical": 4, "mirrorhorizontalandrotate270cw": 5,
        "mirroredhorizontalthenrotated90ccw": 5, "rotate90cw": 6, "rotated90cw": 6,
        "mirrorhorizontalandrotate90cw": 7, "mirroredhorizontalthenrotated90cw": 7, "rotate270cw": 8,
        "rotated90ccw": 8, "rotate90ccw": 8,
    },
    "light_source": _LIGHTS,
    "saturation": {"normal": 0, "low": 1, "lowsaturation": 1, "high": 2, "highsaturation": 2, "enhanced": 2},
    "contrast": {"normal": 0, "low": 1, "soft": 1, "high": 2, "hard": 2},
    "sharpness": {"normal": 0, "soft": 1, "hard": 2},
    "metering_mode": {
        "unknown": 0, "unidentified": 0, "average": 1, "centerweightedaverage": 2, "centerweighted": 2, "spot": 3,
        "multispot": 4, "multisegment": 5, "pattern": 5, "partial": 6, "other": 255,
    },
    "white_balance": {"auto": 0, "autowhitebalance": 0, "manual": 1, "manualwhitebalance": 1},
    "exposure_program": {
        "notdefined": 0, "unidentified": 0, "manual": 1, "programae": 2, "program": 2, "normalprogram": 2,
        "programnormal": 2, "aperturepriorityae": 3, "aperturepriority": 3, "shutterspeedpriorityae": 4,
        "shutterpriority": 4, "creativeslowspeed": 5, "programcreative": 5, "actionhighspeed": 6,
        "programaction": 6, "portrait": 7, "portraitmode": 7, "landscape": 8, "landscapemode": 8,
    },
}  # fmt: skip
_TIMES = {
    "original": ("datetimeoriginal", "dateandtimeoriginal"),
    "digitized": ("datetimedigitized", "createdate", "dateandtimedigitized"),
}
_DIRECTORY = re.compile(r"\A(?:IFD0|EXIF|ExifIFD|GPS|Image)[:\s]+", re.IGNORECASE)
_NUMBER = r"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,3})?"
_VALUE = re.compile(rf"\s*(?:f\s*/?\s*)?({_NUMBER})(?:\s*/\s*({_NUMBER}))?", re.IGNORECASE)
_EXACT = re.compile(rf"\(({_NUMBER}\s*/\s*{_NUMBER})\)")
_PARTS = re.compile(_NUMBER)


def number(value: Text | None) -> float | None:
    """Return the number that a text begins with.

    Args:
        value: "1/60", "0.017 sec (1/60)", "f/2.8", "35.0 mm", "+1/3 EV", or a number.

    Returns:
        The number; a fraction in brackets is preferred to its own rounding; None for what does not begin with a
        number ("undef", "inf") and for a zero denominator.
    """
    if value is None or isinstance(value, str):
        text = value or ""
        exact = _EXACT.search(text)
        found = [_quotient(match) for match in (_VALUE.match(text), _VALUE.match(exact[1]) if exact else None)]
        if found[0] and found[1] and abs(found[1] / found[0] - 1) < 0.2:
            return found[1]
        return found[0]
    return float(value) if abs(value) < 1e300 else None  # no infinity, no NaN, no int of 400 digits


def _quotient(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    top, bottom = float(match[1]), float(match[2] or 1)
    return top / bottom if bottom and math.isfinite(top / bottom) else None


def fields_from_text(tags: Mapping[str, Text]) -> dict[str, object]:
    """Return the typed columns of a picture whose tags were worded by exiftool or Flickr.

    Names may carry a directory ("EXIF FNumber", "ExifIFD:FNumber"), a hyphen or blanks ("-Exposure Bias"). The
    wording must be the raw one: Flickr's `clean` texts contradict it. MaxApertureValue is an F number in these
    wordings, not the APEX value that a file holds.

    Args:
        tags: text or number by tag name.

    Returns:
        A value or None for each column of the table `exif` that a file determines, but `tags` and `exif_error`.
    """
    known = {_plain(_DIRECTORY.sub("", name)): value for name, value in tags.items()}
    known |= {_plain(name): value for name, value in tags.items()}
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    for column, names in _NAMES.items():
        values = (_value(column, known[name]) for name in names if name in known)
        row[column] = next((value for value in values if value is not None), None)
    for column, name in (("f_number", "aperturevalue"), ("exposure_time_s", "shutterspeedvalue")):
        if row[column] is None:  # exiftool has converted these from APEX
            row[column] = in_range(column, number(known.get(name)))
    return row | _times(known) | _position(known)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def _value(column: str, value: Text) -> object:
    """One column from one text."""
    if column in _WORDS:
        return code(column, _code(column, value))
    if column in RANGES:
        return in_range(column, number(value))
    if column == "iso":
        return iso_speed(number(value))
    if column == "flash_fired":
        return _flash(value)
    text = clean_text(str(value))
    return None if column == "lens" and text and text.isdecimal() else text  # a maker's number for a lens


def _code(column: str, value: Text) -> float | None:
    """The EXIF code that a word or a number stands for."""
    if isinstance(value, str) and not value.strip().isdecimal():
        return _WORDS[column].get(_plain(value))
    return number(value)


def _flash(value: Text) -> bool | None:
    """Whether the flash fired; "On, Return not detected" says so without the word."""
    text = value.strip().lower() if isinstance(value, str) else str(value)
    if _PARTS.fullmatch(text):
        return flash_fired(number(text))
    if any(words in text for words in ("not fire", "no flash")) or text.startswith("off"):
        return False
    return True if "fired" in text or text.startswith(("on", "strobe return light")) else None


def _times(known: Mapping[str, Text]) -> dict[str, object]:
    """Time of capture; the digitisation counts where it alone is known."""
    for kind, names in _TIMES.items():
        subsecond, offset = (str(known.get(f"{what}{kind}", "")) for what in ("subsectime", "offsettime"))
        for name in names:
            time, has_offset = moment(str(known.get(name, "")), subsecond, offset)
            if time is not None:
                return {"captured_at": time, "captured_at_has_offset": has_offset}
    return {"captured_at": None, "captured_at_has_offset": None}


def _position(known: Mapping[str, Text]) -> dict[str, object]:
    lat = in_range("gps_lat", _coordinate(known, "gpslatitude", "S"))
    lon = in_range("gps_lon", _coordinate(known, "gpslongitude", "W"))
    altitude = number(known.get("gpsaltitude"))
    reference = f"{known.get('gpsaltitude', '')} {known.get('gpsaltituderef', '')}".lower()
    if altitude is not None and ("below" in reference or reference.endswith((" 1", " 3"))):
        altitude = -abs(altitude)
    clock = [float(part) for part in _PARTS.findall(str(known.get("gpstimestamp", "")))]
    return {
        "gps_lat": lat if lon is not None else None,
        "gps_lon": lon if lat is not None else None,
        "gps_altitude_m": in_range("gps_altitude_m", altitude),
        "gps_direction_deg": direction_deg(number(known.get("gpsimgdirection"))),
        "gps_at": gps_time(str(known.get("gpsdatestamp", known.get("gpsdate", ""))), clock),
    }


def _coordinate(known: Mapping[str, Text], name: str, negative: str) -> float | None:
    """Signed degrees of "51 deg 30' 26.00'' N", of the same with a reference apart, or of a signed number."""
    text = str(known.get(name, "")).strip()
    if _PARTS.fullmatch(text) and f"{name}ref" not in known:
        return number(text)
    direction = text[-1:] if text[-1:].isalpha() else str(known.get(f"{name}ref", ""))
    return degrees([abs(float(part)) for part in _PARTS.findall(text)], direction, negative)
