"""What did the server really send? The body of a successful answer comes in, the reason against it goes out, or None.

Servers send error pages, consent pages and "photo unavailable" pictures with status 200; what a server says of
itself in `Content-Type` is used only to word the reason.
"""

import re
from hashlib import md5

from imagelake.errors import BadItem
from imagelake.image.sniff import PICTURE_FORMATS, UNSUPPORTED_FORMATS, sniff

# The tags by which the WHATWG MIME Sniffing Standard, section 7.1, knows HTML.
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!--|(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br"
    rb"|p|meta|link)[\s>])",
    re.IGNORECASE,
)
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*(?:[\[{"\]\d-]|true|false|null))')
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
# Names of the pictures that are sent instead of one that is gone: Flickr's photo_unavailable.png, Imgur's removed.png
# and their like. They count behind a redirect only, for a picture of one's own may have any name.
_UNAVAILABLE = re.compile(
    r"/(?:(?:photo|image|img|picture|file)[_-]?(?:is[_-]?)?(?:unavailable|removed|missing|deleted|not[_-]?(?:found|available))"
    r"|no[_-]?(?:photo|image|img|picture)(?:[_-]?(?:available|found))?|removed|deleted|unavailable|placeholder|404)"
    r"(?:[_-][a-z0-9]{1,2})?\.(?:png|gif|jpe?g|webp|svg)$",
    re.IGNORECASE,
)

# Two of them are known by their bytes as well: MD5 as it was published, of Flickr's (2,051 bytes) and Imgur's (503).
_STAND_INS = frozenset({"880a7a58e05d3e83797f27573bb6d35c", "d835884373f4d6c8f24742ceabe74946"})
_STAND_IN_BYTES = 4096


def check_content(body: bytes, content_type: str | None, url: str, final_url: str) -> BadItem | None:
    """Tell a picture from what is sent in its place.

    Args:
        body: the whole body.
        content_type: media type as the server states it.
        url: the address that was asked for.
        final_url: the address that answered, behind redirects.

    Returns:
        None for a picture that imagelake reads, else a `BadItem`: `empty`, `unavailable_picture`, `html`, `json`,
        `unsupported_format` (a picture in another format) or `not_an_image`.
    """
    if not body:
        return BadItem("empty", "the body has no bytes")
    if _is_unavailable_picture(body, url, final_url):
        return BadItem("unavailable_picture", 'the server sent its "not available" picture')
    name = sniff(body)
    if name in PICTURE_FORMATS:
        return None
    if name in UNSUPPORTED_FORMATS:
        return BadItem("unsupported_format", f"{name} is not read by imagelake")
    return _no_picture(body, content_type, name)


def _no_picture(body: bytes, content_type: str | None, name: str | None) -> BadItem:
    claim = (content_type or "").partition(";")[0].strip().lower()
    if name == "HTML" or _HTML.match(body) or claim in ("text/html", "application/xhtml+xml"):
        return BadItem("html", f"an HTML page{_title(body)}")
    if claim.endswith("json") or _JSON.match(body):
        return BadItem("json", "a JSON document")
    return BadItem("not_an_image", f"this is {name}" if name else "no known picture format")


def _is_unavailable_picture(body: bytes, url: str, final_url: str) -> bool:
    if len(body) <= _STAND_IN_BYTES and md5(body, usedforsecurity=False).hexdigest() in _STAND_INS:
        return True
    is_redirected = final_url != url and not _UNAVAILABLE.search(_path(url))
    return is_redirected and _UNAVAILABLE.search(_path(final_url)) is not None


def _path(url: str) -> str:
    return re.split("[?#]", url, maxsplit=1)[0]


def _title(body: bytes) -> str:
    found = _TITLE.search(body[:4096])
    return ": " + " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
