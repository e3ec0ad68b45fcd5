"""getExif's answers: the wording of exiftool in `raw`, Flickr's own and not always true in `clean`."""

from typing import Any

from tests.servers.pictures import CAMERAS

LENSES = (35, 50, 105)
FLASH = ("Off, Did not fire", "Fired", "On, Return detected", "Auto, Did not fire", "No Flash")
ORIENTATIONS = ("Horizontal (normal)", "Rotate 90 CW", "Rotate 270 CW", "Rotate 180")


def camera(n: int) -> str:
    """The name at the head of the reply; empty without EXIF."""
    return "" if n % 9 == 8 else CAMERAS[n % len(CAMERAS)][1].title()


def exif(n: int) -> list[dict[str, Any]]:
    """The entries of photo n: every 9th has none, every 7th has numbers for text, every 5th lacks what many need."""
    if n % 9 == 8:
        return []
    make, model = CAMERAS[n % len(CAMERAS)]
    focal, iso = LENSES[n % 3], 100 << n % 5
    entries = [
        _entry("IFD0", "Make", "Make", make),
        _entry("IFD0", "Model", "Model", model),
        _entry("IFD0", "XResolution", "X-Resolution", "300", "300 dpi"),
        _entry("IFD0", "Orientation", "Orientation", ORIENTATIONS[n % 4]),
        _entry("ExifIFD", "ExposureTime", "Exposure", f"1/{60 + n % 50}", f"0.017 sec (1/{60 + n % 50})"),
        _entry("ExifIFD", "FNumber", "Aperture", f"{2.8 + n % 10:.1f}", f"f/{2.8 + n % 10:.1f}"),
        _entry("ExifIFD", "ISO", "ISO Speed", str(iso)),
        _entry("ExifIFD", "DateTimeOriginal", "Date and Time (Original)", f"2023:06:{1 + n % 28:02d} 07:33:13"),
        _entry("ExifIFD", "ExposureCompensation", "Exposure Bias", ("0", "-1/3", "+0.67")[n % 3], "0 EV"),
        _entry("ExifIFD", "MaxApertureValue", "Max Aperture Value", "3.9"),
        _entry("ExifIFD", "LightSource", "Light Source", "Unknown"),
        _entry("ExifIFD", "Flash", "Flash", FLASH[n % len(FLASH)]),
        _entry("ExifIFD", "FocalLength", "Focal Length", f"{focal}.0 mm", f"{focal} mm"),
        _entry("ExifIFD", "FocalLengthIn35mmFormat", "Focal Length (35mm format)", f"{focal} mm"),
        _entry("ExifIFD", "Contrast", "Contrast", "Normal"),
        # as seen in real replies: the cleaned value says something else
        _entry("ExifIFD", "Saturation", "Saturation", "Normal", "High"),
        _entry("ExifIFD", "Sharpness", "Sharpness", "Normal", "Hard"),
        _entry("GPS", "GPSLatitude", "GPS Latitude", "59 deg 54' 49.21\"", "59 deg 54' 49.21\" N"),
        _entry("IPTC", "DateCreated", "Date Created", "2023:06:20"),
        _entry("XMP-photoshop", "DateCreated", "Date Created", "2023:06:20 07:33:13.73"),
        _entry("XMP-aux", "Lens", "Lens", f"Objectif d'essai {focal}mm \N{GREEK SMALL LETTER ALPHA}"),
        _entry("XMP-exif", "ISO", "ISO Speed", str(iso * 2)),  # a second entry of the tag, with another value
    ]
    if n % 5 == 4:
        entries = [entry for entry in entries if entry["tag"] not in {"FocalLength", "Flash"}]
    return [_with_numbers(entry) for entry in entries] if n % 7 == 3 else entries


def _entry(space: str, tag: str, label: str, raw: str, clean: str | None = None) -> dict[str, Any]:
    entry = {"tagspace": space, "tagspaceid": 0, "tag": tag, "label": label, "raw": {"_content": raw}}
    return entry if clean is None else {**entry, "clean": {"_content": clean}}


def _with_numbers(entry: dict[str, Any]) -> dict[str, Any]:
    """As older replies: what looks like a number is one."""
    raw = entry["raw"]["_content"]
    try:
        number = int(raw) if raw.isdecimal() else float(raw)
    except ValueError:
        return entry
    return {**entry, "raw": {"_content": number}}
