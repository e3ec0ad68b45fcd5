"""Decode maker notes: a reader at its maker note in, "MakerNote ..." tags out.

Which makers there are, where their directories begin and what their codes mean is exifread's knowledge
(`exifread.core.exif_header.ExifHeader.decode_maker_note`); the order of the tests is kept.
"""

import re
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from exifread.tags.makernote import apple, canon, casio, dji, fujifilm, nikon, olympus, sony

if TYPE_CHECKING:
    from imagelake.extract.exif_reader import Reader

_CANON_CAMERA_INFO = "MakerNote Tag 0x000D"
_UNREADABLE = (TypeError, ValueError, OverflowError)


class _Maker(NamedTuple):
    """How one maker writes.

    Attributes:
        make: pattern of the Make tag.
        names: exifread's dictionary.
        directory: offset of the directory in the maker note, in bytes.
        base: what offsets in the maker note start from, in bytes from its start; None: as everywhere in the block.
        order: byte order, or None for that of the block.
    """

    make: str
    names: dict[int, Any]
    directory: int
    base: int | None = None
    order: str | None = None


# with the arrays that are decoded below, so that the reader keeps their values
_CANON_NAMES = canon.TAGS | {tag: (f"Tag 0x{tag:04X}", None) for tag in (*canon.OFFSET_TAGS, 0x000D)}
_MAKERS = (
    _Maker("NIKON", nikon.TAGS_NEW, 0),
    _Maker(r"\AOLYMPUS", olympus.TAGS, 8),
    _Maker("CASIO|Casio", casio.TAGS, 0),
    _Maker("SONY", sony.TAGS, 0),
    _Maker(r"\AFUJIFILM\Z", fujifilm.TAGS, 12, base=0, order="<"),
    _Maker(r"\AApple\Z", apple.TAGS, 0, base=14),
    _Maker(r"\ADJI\Z", dji.TAGS, 0, base=0, order="<"),
    _Maker(r"\ACanon\Z", _CANON_NAMES, 0),
)


def read_maker_note(reader: "Reader", at: int, first: Sequence[Any]) -> None:
    """Add the tags of a maker note to a reader, if its maker is known.

    Args:
        reader: a reader whose "Image Make" is known.
        at: position of the maker note from base, in bytes.
        first: the first 14 values of the maker note.
    """
    make = reader.tags["Image Make"]
    maker = next((maker for maker in _MAKERS if re.search(maker.make, make)), None)
    if maker is None:
        return
    note = bytes(value & 0xFF for value in first if isinstance(value, int))
    if maker.names is nikon.TAGS_NEW:
        _read_nikon(reader, at, note)
    elif maker.names is not apple.TAGS or note.startswith(b"Apple iOS\0"):
        _read_directory(reader, at, maker)
    if maker.names is _CANON_NAMES:
        _read_canon_arrays(reader)


def _read_nikon(reader: "Reader", at: int, note: bytes) -> None:
    """Three generations: labelled 1, labelled 2 with offsets of its own, and without a label."""
    if note[:7] == b"Nikon\0\1":
        reader.read_ifd(at + 8, "MakerNote", nikon.TAGS_OLD)
    elif note[:7] != b"Nikon\0\2":
        reader.read_ifd(at, "MakerNote", nikon.TAGS_NEW)
    elif note[12:14] in (b"\0*", b"*\0"):
        reader.read_ifd(at + 18, "MakerNote", nikon.TAGS_NEW, shift=at + 10 + reader.nikon_shift)


def _read_directory(reader: "Reader", at: int, maker: _Maker) -> None:
    base, order = reader.base, reader.order
    if maker.base is None:
        offset = at + maker.directory
    else:
        offset = maker.directory
        reader.base = base + at + maker.base
    reader.order = maker.order or order
    reader.read_ifd(offset, "MakerNote", maker.names)
    reader.base, reader.order = base, order


def _read_canon_arrays(reader: "Reader") -> None:
    """Replace Canon's arrays of settings by one tag per setting."""
    for tag, names in canon.OFFSET_TAGS.items():
        values = reader.raw.pop(f"MakerNote Tag 0x{tag:04X}", None)
        if values is not None:
            del reader.tags[f"MakerNote Tag 0x{tag:04X}"]
            _add_settings(reader, values, names)
    info = reader.raw.pop(_CANON_CAMERA_INFO, None)
    if info is not None:
        del reader.tags[_CANON_CAMERA_INFO]
        _add_camera_info(reader, info, canon.CAMERA_INFO_MODEL_MAP)


def _add_settings(reader: "Reader", values: Sequence[Any], names: dict[int, Any]) -> None:
    """One tag per element; those without a name overwrite each other in "MakerNote Unknown"."""
    for index in range(1, len(values)):
        name, form = names.get(index, ("Unknown", None))
        value = values[index]
        if callable(form):
            try:
                value = form(value)
            except _UNREADABLE:
                continue
        elif form is not None:
            value = form.get(value, "Unknown")
        reader.tags[f"MakerNote {name}"] = str(value)


def _add_camera_info(reader: "Reader", values: Sequence[Any], layouts: dict[str, Any]) -> None:
    """Settings at byte positions that depend on the model."""
    model = reader.tags.get("Image Model", "")
    layout: dict[int, Any] = next((found for pattern, found in layouts.items() if re.search(pattern, model)), {})
    try:
        packed = bytes(values)
    except _UNREADABLE:  # not an array of bytes
        return
    for at, (name, code, form) in layout.items():
        if at + struct.calcsize(code) <= len(packed):
            reader.tags[f"MakerNote {name}"] = str(form(struct.unpack_from(code, packed, at)[0]))
