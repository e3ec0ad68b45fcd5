"""EXIF of a picture: encoded bytes in, tags and the typed columns of the table `exif` out.

The three entrances are `read_tags` (names and wording only), `exif_row` (a row of the table) and `fields_from_text`
(the same typed columns from the wording of web services and of exiftool). No pixel is decoded, and no bytes make
them raise: what can be read of a damaged block is returned.
"""

from imagelake.extract.exif_fields import fields_from_raw
from imagelake.extract.exif_locate import find_exif
from imagelake.extract.exif_reader import Parsed, read_block
from imagelake.extract.exif_text import fields_from_text

__all__ = ["exif_row", "fields_from_text", "read_tags"]


def read_tags(data: bytes, *, maker_notes: bool = True) -> dict[str, str]:
    """Return every EXIF tag of a picture, named and worded as exifread does.

    Args:
        data: a JPEG, PNG, WebP, TIFF, HEIC or AVIF file; anything else has no tags.
        maker_notes: whether to decode maker notes; without, the maker note itself, the user comment, the XMP packet
            and the directories of sub-images are left out too.

    Returns:
        Wording ("14/5", "Flash did not fire") by name ("EXIF FNumber"). Of an array of more than 50 values the
        first 20 are shown; of one of 1000 or more none, but for the maker note and the user comment.
    """
    return _read(data, maker_notes=maker_notes).tags


def exif_row(data: bytes, *, maker_notes: bool = True) -> dict[str, object]:
    """Return the columns of the table `exif` that the bytes of a picture determine.

    Args:
        data: a JPEG, PNG, WebP, TIFF, HEIC or AVIF file; anything else gives nulls.
        maker_notes: as for `read_tags`; maker notes fill in `lens` and `iso` where EXIF has none.

    Returns:
        All columns but image_id, version, source, run_id and computed_at: typed values or None, `tags` (every tag
        found) and `exif_error` (what was wrong with the EXIF data, or None).
    """
    parsed = _read(data, maker_notes=maker_notes)
    row = fields_from_raw(parsed.raw, parsed.tags)
    row["tags"] = parsed.tags
    row["exif_error"] = parsed.error
    return row


def _read(data: bytes, *, maker_notes: bool) -> Parsed:
    block = find_exif(data)
    return Parsed({}, {}, None) if block is None else read_block(data, block, maker_notes=maker_notes)
