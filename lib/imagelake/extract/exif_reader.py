"""Read every tag of an EXIF block: file bytes in, names and printable values out, worded as exifread words them.

exifread defines what the tags are called and how their values read; its dictionaries are used as they are. Its
reader is not: it fetches each number of each array by a seek and a read, most of which are thrown away again when
the array is printed. Here an array is unpacked by one call, and only as far as it will be printed. Whatever the
bytes say, the work is bounded by `_MAX_WORK`.
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from exifread.tags import IGNORE_TAGS
from exifread.tags.exif import EXIF_TAGS

from imagelake.extract.exif_locate import Block
from imagelake.extract.exif_makers import read_maker_note
from imagelake.extract.exif_wording import ASCII, RATIOS, SHOWN, Form, Ratio, Values, show

_IGNORED = frozenset(IGNORE_TAGS)
_MAX_WORK = 1 << 19  # entries, array values and characters, all together
_MAX_TEXT = 1 << 16  # one JPEG segment
_MAX_IFDS = 256
_LONG = 1000  # exifread leaves longer arrays unread, but for the maker note
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)  # bytes per value by TIFF field type (TIFF 6.0, section 2)
_BYTES = frozenset({1, 7})  # field types BYTE and UNDEFINED
_CODES = " B HIIbBhiifdI"  # struct codes by field type; a ratio is two of its code
_WIDTHS = {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "f": 4, "d": 8}

# Values that typed columns are made of, or that a maker note is decoded from: kept beside their wording.
_KEPT_EXIF = (
    "ApertureValue", "Artist", "BrightnessValue", "Contrast", "Copyright", "DateTimeDigitized", "DateTimeOriginal",
    "ExposureBiasValue", "ExposureProgram", "ExposureTime", "FNumber", "Flash", "FocalLength",
    "FocalLengthIn35mmFilm", "ISOSpeed", "ISOSpeedRatings", "LensModel", "LightSource", "MaxApertureValue",
    "MeteringMode", "OffsetTimeDigitized", "OffsetTimeOriginal", "RecommendedExposureIndex", "Saturation",
    "Sharpness", "ShutterSpeedValue", "SubSecTimeDigitized", "SubSecTimeOriginal", "WhiteBalance",
)  # fmt: skip
_KEPT_IMAGE = ("ExifOffset", "Make", "Model", "Orientation", "Software", "SubIFDs")
_KEPT_GPS = (
    "GPSAltitude", "GPSAltitudeRef", "GPSDate", "GPSImgDirection", "GPSLatitude", "GPSLatitudeRef", "GPSLongitude",
    "GPSLongitudeRef", "GPSTimeStamp",
)  # fmt: skip
KEPT = frozenset(
    [f"{ifd} {name}" for ifd in ("Image", "EXIF") for name in _KEPT_EXIF]
    + [f"Image {name}" for name in _KEPT_IMAGE]
    + [f"GPS {name}" for name in _KEPT_GPS]
    + ["MakerNote ISOSetting", "MakerNote LensModel"]
    + [f"MakerNote Tag 0x{tag:04X}" for tag in (0x01, 0x02, 0x04, 0x0D, 0x12, 0x26, 0x93)]  # Canon's arrays
)

Table = dict[int, tuple[str, Form, bool]]


class Parsed(NamedTuple):
    """What an EXIF block holds.

    Attributes:
        tags: name ("EXIF FNumber") to wording ("14/5").
        raw: for names in `KEPT`: text (bytes when not UTF-8), or a sequence of int, `Ratio` or (float,).
        error: the first thing that was wrong with the block, or None.
    """

    tags: dict[str, str]
    raw: dict[str, Values]
    error: str | None


def read_block(data: bytes, block: Block, *, maker_notes: bool = True) -> Parsed:
    """Read all tags of an EXIF block.

    Args:
        data: the whole file; offsets in the block may point anywhere in it.
        block: where the block starts.
        maker_notes: also decode maker notes, user comment, XMP packet bytes and the IFDs of other sub-images.

    Returns:
        Tags, kept raw values and what was wrong. Never raises for any bytes.
    """
    start = block.start
    order = {b"II": "<", b"MM": ">"}.get(data[start : start + 2])
    error = None if order else "no byte order mark at the start of the EXIF block"
    if order is None:  # the first IFD nearly always follows at offset 8: that shows the order as well
        order = {b"\x08\0\0\0": "<", b"\0\0\0\x08": ">"}.get(data[start + 4 : start + 8])
    if order is None:
        return Parsed({}, {}, error)
    reader = Reader(data, block, order, detailed=maker_notes)
    reader.error = error
    reader.read()
    return Parsed(reader.tags, reader.raw, reader.error)


_MAX_TABLES = 64
_TABLES: dict[tuple[str, int], tuple[dict[int, Any], Table]] = {}  # a cache; threads may fill it twice, no worse


def _table(ifd: str, names: dict[int, Any]) -> Table:
    """The dictionary with full names: tag number to (full name, wording, is kept)."""
    found = _TABLES.get((ifd, id(names)))
    if found is not None:
        return found[1]
    table = {tag: (full := f"{ifd} {entry[0]}", entry[1], full in KEPT) for tag, entry in names.items()}
    if len(_TABLES) < _MAX_TABLES:  # the names of the 99th sub-image are not worth keeping
        _TABLES[ifd, id(names)] = (names, table)  # holding names keeps its id unique
    return table


class Reader:
    """One pass over one EXIF block; `tags`, `raw` and `error` are the results.

    Args:
        data: the whole file.
        block: where the block starts.
        order: "<" or ">", the byte order for struct.
        detailed: whether maker notes are wanted.
    """

    def __init__(self, data: bytes, block: Block, order: str, *, detailed: bool) -> None:
        self.data = data
        self.base = block.start
        self.order = order
        self.detailed = detailed
        self.tags: dict[str, str] = {}
        self.raw: dict[str, Values] = {}
        self.error: str | None = None
        self.note: tuple[int, tuple[Any, ...]] | None = None  # position of the maker note from base, first values
        self.nikon_shift = 18 if block.has_jfif_first else 0
        self._ignored: frozenset[int] = frozenset() if detailed else _IGNORED
        self._left = _MAX_WORK

    def read(self) -> None:
        """Read the chain of IFDs, then those that they point at, then the maker note."""
        for index, offset in enumerate(self._chain()):
            self.read_ifd(offset, ("Image", "Thumbnail")[index] if index < 2 else f"IFD {index}", EXIF_TAGS)
        for offset in self._offsets("Image ExifOffset")[:1]:
            self.read_ifd(offset, "EXIF", EXIF_TAGS)
        if not self.detailed:
            return
        for index, offset in enumerate(self._offsets("Image SubIFDs")):
            self.read_ifd(offset, f"EXIF SubIFD{index}", EXIF_TAGS)
        if self.note is not None and "Image Make" in self.tags:
            read_maker_note(self, *self.note)

    def _offsets(self, name: str) -> list[int]:
        return [value for value in self.raw.get(name, ()) if isinstance(value, int)]

    def _chain(self) -> list[int]:
        """Offsets of the IFDs that follow each other."""
        offsets: list[int] = []
        offset = self._integer("I", 4)
        while offset and offset not in offsets:
            if len(offsets) == _MAX_IFDS:
                self._wrong(f"more than {_MAX_IFDS} directories; the rest is left out")
                return offsets
            offsets.append(offset)
            offset = self._integer("I", offset + 2 + 12 * self._integer("H", offset))
        if offset and offset != offsets[-1]:
            self._wrong("the directories form a loop")
        return offsets

    def _integer(self, code: str, offset: int) -> int:
        """One unsigned number; 0 outside the file, as exifread has it."""
        at = self.base + offset
        if at < 0 or at + _WIDTHS[code] > len(self.data):
            return 0
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def _wrong(self, what: str) -> None:
        if self.error is None:
            self.error = what

    def read_ifd(self, offset: int, ifd: str, names: dict[int, Any], *, shift: int | None = None) -> None:
        """Read one IFD (TIFF 6.0, section 2) into `tags` and `raw`.

        Args:
            offset: of the IFD from base, in bytes.
            ifd: the first word of the names.
            names: exifread's dictionary: tag number to (name, wording).
            shift: added to base for values that do not fit their entry; None for none.
        """
        start, table = self.base + offset + 2, _table(ifd, names)
        room = (len(self.data) - start) // 12
        count = self._integer("H", offset)
        if ifd != "MakerNote" and (start < 2 or count > room):
            self._wrong(f"directory {ifd} reaches beyond the end of the file")
        count = max(0, min(count, room)) if start >= 2 else 0
        self._left -= count
        values_at = self.base + (shift or 0)
        at = start + 8
        for tag, kind, number, slot in struct.iter_unpack(self.order + "HHII", self.data[start : start + 12 * count]):
            if self._left <= 0:
                self._wrong("more in the EXIF block than a picture can have; the rest is left out")
                return
            if 0 < kind < 14 and tag not in self._ignored:
                size = _SIZES[kind] * number
                self._read_tag(ifd, table, (tag, kind, number), at if size <= 4 else values_at + slot)
            at += 12

    def _read_tag(self, ifd: str, table: Table, entry: tuple[int, int, int], at: int) -> None:
        tag, kind, count = entry
        known = table.get(tag)
        name, form, kept = known if known is not None else (f"{ifd} Tag 0x{tag:04X}", None, False)
        if kind == ASCII:
            values: Values = self._text(count, at)
        else:
            values = self._numbers(name, (kind, count, form, kept), at)
            if tag == 0x927C and name == "EXIF MakerNote":
                self.note = (at - self.base, tuple(values[:14]))
        if kept:
            self.raw[name] = values
        if isinstance(form, tuple):
            for offset in values[:1]:
                if isinstance(offset, int):
                    self.read_ifd(offset, form[0], form[1])
        shown = show(values, count, kind, form)
        self.tags[name] = shown

    def _text(self, count: int, at: int) -> str | bytes:
        """Text up to a null or the end of the file; bytes when it is not UTF-8."""
        end = at + min(count, _MAX_TEXT)
        null = self.data.find(b"\0", at, end) if at >= 0 else 0
        text = self.data[at : null if null >= 0 else end] if at >= 0 else b""
        self._left -= len(text)
        try:
            return text.decode()
        except UnicodeDecodeError:
            return text

    def _numbers(self, name: str, field: tuple[int, int, Form, bool], at: int) -> Sequence[Any]:
        """As many values as will be looked at; beyond the end of the file numbers are 0, as exifread has it."""
        kind, count, form, kept = field
        if count >= _LONG:
            is_comment = kind in _BYTES and name.endswith(" UserComment")
            if not is_comment and not name.endswith(" MakerNote"):
                return ()
            count = min(count, _MAX_TEXT)
        if count > 50 and form is None and not kept:
            count = SHOWN + 1
        code = _CODES[kind]
        self._left -= count
        pairs = kind in RATIOS
        wanted = 2 * count if pairs else count
        there = max(0, min(wanted, (len(self.data) - at) // _WIDTHS[code])) if at >= 0 else 0
        flat = struct.unpack_from(f"{self.order}{there}{code}", self.data, at) if there else ()
        if code in "fd":
            return [(value,) for value in flat]
        if there < wanted:
            flat += (0,) * (wanted - there)
            if " Tag" not in name and not name.startswith("MakerNote"):
                self._wrong(f"the value of {name} lies beyond the end of the file")
        return list(map(Ratio, zip(flat[::2], flat[1::2], strict=True))) if pairs else flat
