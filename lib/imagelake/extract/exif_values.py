"""Single values of the table `exif`: numbers and texts in; what a column may hold, or None, out.

Units, codes and ranges are those of CIPA DC-008 (Exif 2.32), section 4.6. A value out of range is None: the camera
said "unknown", or the bytes are damaged; the text of the tag is kept in `tags` either way.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

RANGES: dict[str, tuple[float, float]] = {
    "focal_length_mm": (0.01, 20_000),
    "focal_length_35mm_mm": (1, 20_000),
    "f_number": (0.1, 1024),
    "exposure_time_s": (1e-8, 604_800),
    "exposure_bias_ev": (-30, 30),
    "brightness_ev": (-99.99, 99.99),
    "max_aperture_f": (0.1, 1024),
    "gps_lat": (-90, 90),
    "gps_lon": (-180, 180),
    "gps_altitude_m": (-12_000, 1_000_000),
    "gps_direction_deg": (0, 360),
}
CODES: dict[str, frozenset[int]] = {
    "orientation": frozenset(range(1, 9)),
    "light_source": frozenset({*range(5), *range(9, 25), 255}),
    "saturation": frozenset(range(3)),
    "contrast": frozenset(range(3)),
    "sharpness": frozenset(range(3)),
    "metering_mode": frozenset({*range(7), 255}),
    "white_balance": frozenset(range(2)),
    "exposure_program": frozenset(range(9)),
}
COLUMNS = (
    *("make", "model", "lens", "software"),
    *("focal_length_mm", "focal_length_35mm_mm", "f_number", "exposure_time_s", "iso"),
    *("exposure_bias_ev", "brightness_ev", "max_aperture_f", "flash_fired", "orientation", "light_source"),
    *("saturation", "contrast", "sharpness", "metering_mode", "white_balance", "exposure_program"),
    *("captured_at", "captured_at_has_offset", "artist", "copyright"),
    *("gps_lat", "gps_lon", "gps_altitude_m", "gps_direction_deg", "gps_at"),
)
_FLASH_CODES = range(128)  # bits 0 to 6 are defined
_YEARS = range(1800, 2200)
_DATE = re.compile(
    r"\s*(\d{4})[:/.-] ?(\d{1,2})[:/.-] ?(\d{1,2})[ T]+(\d{1,2}): ?(\d{1,2})(?:: ?(\d{1,2})(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?\s*\Z"
)
_OFFSET = re.compile(r"\s*(?:Z|([+-])(\d\d):?(\d\d))\s*\Z")


def in_range(column: str, value: float | None) -> float | None:
    """Return a number as a float, or None when it is outside the range of its column or not a number."""
    low, high = RANGES[column]
    return float(value) if value is not None and low <= value <= high else None


def code(column: str, value: float | None) -> int | None:
    """Return an EXIF code as an int, or None when the standard has no such code."""
    return int(value) if value is not None and value in CODES[column] else None


def iso_speed(value: float | None) -> int | None:
    """Return an ISO speed, or None for 0, for 65535 ("does not fit") and for what is no speed."""
    return int(value) if value is not None and 1 <= value <= 1 << 24 and value != 65535 else None


def flash_fired(value: float | None) -> bool | None:
    """Whether the flash fired: bit 0 of the Flash tag; None for numbers that are no flash state."""
    return bool(int(value) & 1) if value is not None and value in _FLASH_CODES else None


def apex_f_number(apex: float | None) -> float | None:
    """F number of an APEX aperture value: F = 2^(Av/2) (Exif 2.32, annex C)."""
    return math.exp2(apex / 2) if apex is not None and abs(apex) <= 64 else None


def apex_exposure_s(apex: float | None) -> float | None:
    """Exposure time in seconds of an APEX time value: T = 2^-Tv (Exif 2.32, annex C)."""
    return 2.0**-apex if apex is not None and abs(apex) <= 64 else None


def degrees(parts: Sequence[float | None], direction: str, negative: str) -> float | None:
    """Signed degrees of a coordinate given in degrees, minutes and seconds.

    Args:
        parts: degrees and, if given, minutes and seconds.
        direction: N, S, E or W, or a word that begins with it.
        negative: the letter of the negative direction: S or W.

    Returns:
        Degrees, or None when a part is unknown or no minute or second, or the direction is not known.
    """
    known = [part for part in parts if part is not None and math.isfinite(part)]
    letter = direction.strip()[:1].upper()
    if not 1 <= len(known) == len(parts) <= 3 or known[0] < 0 or any(not 0 <= part <= 60 for part in known[1:]):
        return None
    if letter not in {negative, {"S": "N", "W": "E"}[negative]}:
        return None
    size = sum(part / 60.0**index for index, part in enumerate(known))
    return -size if letter == negative else size


def direction_deg(value: float | None) -> float | None:
    """Direction in degrees, 0 up to 360; 360 is 0."""
    known = in_range("gps_direction_deg", value)
    return known if known is None else known % 360


def moment(text: str, subsecond: str = "", offset: str = "") -> tuple[datetime | None, bool | None]:
    """Time of an EXIF date.

    Args:
        text: "2023:06:20 07:33:13", also with other separators, a fraction or an offset of its own.
        subsecond: decimal digits after the second.
        offset: "+02:00" or "Z"; empty when unknown.

    Returns:
        The time in UTC and whether its offset was told (else the clock's time is taken as UTC); (None, None) for
        blank, zero and impossible dates.
    """
    match = _DATE.match(text)
    if match is None:
        return None, None
    year, month, day, hour, minute, second, fraction, own_offset = match.groups()
    digits = (fraction or subsecond).strip()
    micros = int(f"{digits[:6]:0<6}") if digits.isascii() and digits.isdigit() else 0
    zone = _zone(own_offset or offset)
    try:
        if int(year) not in _YEARS:
            return None, None
        clock = (int(hour), int(minute), int(second or 0))
        time = datetime(int(year), int(month), int(day), *clock, micros, tzinfo=zone or UTC)
    except ValueError:
        return None, None
    return time.astimezone(UTC), zone is not None


def gps_time(date: str, clock: Sequence[float | None]) -> datetime | None:
    """Time in UTC of a GPS date ("2022:01:12") and its hours, minutes and seconds; None when a part is wrong."""
    match [part for part in clock if part is not None and 0 <= part < 61]:
        case [hours, minutes, seconds] if len(clock) == 3:
            midnight, _ = moment(f"{date} 00:00:00")
            if midnight is not None and hours < 24 and minutes < 60:
                return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return None


def _zone(text: str) -> timezone | None:
    match = _OFFSET.match(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    shift = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(-shift if sign == "-" else shift) if shift < timedelta(hours=15) else None


def clean_text(values: object) -> str | None:
    """Text without surrounding blanks and control characters; bytes are Latin-1; None when empty or no text."""
    if isinstance(values, bytes):
        values = values.decode("latin-1")
    if not isinstance(values, str):
        return None
    return "".join(c if c.isprintable() else " " for c in values).strip() or None
