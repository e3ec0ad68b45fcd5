"""Names of files and folders of an export: classes and formats in, names that every file system takes out."""

import re
import unicodedata
from collections.abc import Sequence

EXTENSIONS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "HEIF": "heic",
    "AVIF": "avif",
    "JPEG2000": "jp2",
    "PPM": "ppm",
}
_LENGTH_BYTES = 100
# What Windows, the strictest, refuses; names of devices are refused with any extension.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_names(names: Sequence[str]) -> list[str]:
    """A folder name for each name, in order, no two alike even where case does not count.

    Unicode stays (as NFC); characters that a file system refuses become `_`; dots and spaces at the ends go; a name
    that is left empty, or is a device's, gets `_` before it; two that fall together get `-2`, `-3`, ....
    """
    taken: set[str] = set()
    found = []
    for name in names:
        plain = base = _safe(name)
        number = 1
        while base.casefold() in taken:
            number += 1
            base = f"{plain}-{number}"
        taken.add(base.casefold())
        found.append(base)
    return found


def _safe(name: str) -> str:
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(". ")
    text = text.encode(errors="replace")[:_LENGTH_BYTES].decode(errors="ignore").rstrip(". ")
    return f"_{text}" if not text or _DEVICES.fullmatch(text) else text
