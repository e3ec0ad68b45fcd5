"""What kind of file is this? The first 4 KiB go in, a format name or None comes out; file names are never asked.

Three kinds of names come out, each a frozen set below: pictures that imagelake reads, archives that it opens, and
everything else that is only recognised so that the reason of a rejection can say what the file really is.
"""

import re

HEAD_BYTES = 4096

PICTURE_FORMATS = frozenset({"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF", "JPEG2000", "PPM"})
ARCHIVE_FORMATS = frozenset({"zip", "gzip", "tar", "7z"})
# Pictures in formats that imagelake does not read; names outside these three sets are no pictures at all.
UNSUPPORTED_FORMATS = frozenset({"PSD", "ICO", "TGA", "SVG", "JXL", "RAW", "EXR", "DDS", "EPS", "PAM"})

# Ordered: the first match wins, so the weak signatures of a few bytes stand last. Sources: the format's own
# specification, or the IANA media type registration where there is one.
_TABLE: tuple[tuple[str, bytes], ...] = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WEBP", rb"RIFF....WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("RAW", rb"II\x2a\x00.{4}CR|IIRO|IIRS|IIU\x00|FUJIFILMCCD-RAW|\x00MRM"),
    ("TIFF", rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]"),
    # ISO/IEC 23000-22 and 23008-12: the major brand decides; `mif1` and `msf1` leave it to the compatible brands.
    ("AVIF", rb".{4}ftyp(?:avi[fs]|m[is]f1.{4}(?:.{4}){0,8}?avi[fs])"),
    ("HEIF", rb".{4}ftyp(?:hei[cxms]|hev[cxms]|m[is]f1)"),
    ("RAW", rb".{4}ftypcrx "),
    ("MP4", rb".{4}ftyp"),
    ("JPEG2000", rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP {2}\r\n\x87\n"),
    ("JXL", rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n"),
    ("PPM", rb"(?:P[1-6]|Pf)[\s#]"),
    ("PAM", rb"P7[\s#]|PF\s"),
    ("zip", rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
    ("gzip", rb"\x1f\x8b\x08"),
    ("7z", rb"7z\xbc\xaf\x27\x1c"),
    ("tar", rb".{257}ustar[\x00 ]"),
    ("bzip2", rb"BZh[1-9]"),
    ("xz", rb"\xfd7zXZ\x00"),
    ("zstd", rb"\x28\xb5\x2f\xfd"),
    ("rar", rb"Rar!\x1a\x07"),
    ("PDF", rb"(?:.{0,1024}?)%PDF-\d"),
    ("PSD", rb"8BPS\x00[\x01\x02]"),
    ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("EXR", rb"v/1\x01"),
    ("DDS", rb"DDS \x7c"),
    ("SVG", rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.{0,2000}?)?<svg[\s>]"),
    ("HTML", rb"(?:\xef\xbb\xbf)?\s*(?i:<!doctype html|<html|<head)"),
    ("XML", rb"(?:\xef\xbb\xbf)?\s*<\?xml"),
    ("ICO", rb"\x00\x00[\x01\x02]\x00[^\x00]\x00"),
    # "BM" alone opens many a text: the size of the second header must be one that exists as well.
    ("BMP", rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00"),
    # No signature: colour map flag, image type, and a depth (Truevision TGA specification 2.0, page 6).
    ("TGA", rb".[\x00\x01][\x01\x02\x03\x09\x0a\x0b].{13}[\x08\x0f\x10\x18\x20]"),
)
_ALL = re.compile(b"|".join(b"(" + pattern + b")" for _, pattern in _TABLE), re.DOTALL)


def sniff(head: bytes) -> str | None:
    """Name the format of a file by its content.

    Args:
        head: the first bytes of the file; up to 4,096 of them are looked at, 300 are enough for all but SVG and PDF.

    Returns:
        A member of `PICTURE_FORMATS` (Pillow's names), `ARCHIVE_FORMATS` or `UNSUPPORTED_FORMATS`, another name
        such as "PDF" or "HTML", or None for an unknown kind of file.
    """
    match = _ALL.match(head[:HEAD_BYTES])
    return None if match is None else _TABLE[(match.lastindex or 1) - 1][0]
