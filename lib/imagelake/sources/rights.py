"""Rights statements: their addresses, or Flickr's numbers, in; a short code and what it allows out.

The classes are Europeana's: `open` (use, change and sell), `restricted` (use under conditions), `permission` (ask
the holder first). A statement that is not known here has neither code nor class.
"""

import re
from functools import lru_cache
from typing import NamedTuple


class Licence(NamedTuple):
    """A licence or rights statement.

    Attributes:
        code: the short name, with the version: CC-BY-SA-4.0, CC0-1.0, PDM-1.0, InC-1.0, ARR; None when unknown.
        reusability: open, restricted or permission; None when unknown.
    """

    code: str | None
    reusability: str | None


UNKNOWN = Licence(None, None)

_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?(?:[/?#]|$)")
_STATEMENTS = re.compile(r"rightsstatements\.org/(?:vocab|page|data)/([a-z-]+)(?:/(\d\.\d))?(?:[/?#]|$)")
_EUROPEANA = re.compile(r"europeana\.eu/rights/([a-z-]+)(?:[/?#]|$)")
_SCHEME = re.compile(r"https?://(?:www\.)?")

_CODES = {  # the last part of the address, without case -> (short name, class)
    "mark": ("PDM", "open"),
    "zero": ("CC0", "open"),
    "by": ("CC-BY", "open"),
    "by-sa": ("CC-BY-SA", "open"),
    "by-nc": ("CC-BY-NC", "restricted"),
    "by-nc-sa": ("CC-BY-NC-SA", "restricted"),
    "by-nc-nd": ("CC-BY-NC-ND", "restricted"),
    "by-nd-nc": ("CC-BY-NC-ND", "restricted"),  # how version 1.0 is written
    "by-nd": ("CC-BY-ND", "restricted"),
    "inc": ("InC", "permission"),
    "inc-edu": ("InC-EDU", "restricted"),
    "inc-ow-eu": ("InC-OW-EU", "permission"),
    "noc-nc": ("NoC-NC", "restricted"),
    "noc-oklr": ("NoC-OKLR", "restricted"),
    "cne": ("CNE", "permission"),
    "nkc": ("NKC", "restricted"),  # see _FLICKR
}
_RETIRED = {  # Europeana's own statements of before 2015, some under the name of what replaced them
    "rr-f": Licence("rr-f", "permission"),
    "rr-p": Licence("rr-p", "permission"),
    "rr-r": Licence("rr-r", "permission"),
    "out-of-copyright-non-commercial": Licence("NoC-NC-1.0", "restricted"),
    "orphan-work-eu": Licence("InC-OW-EU-1.0", "permission"),
    "unknown": Licence("CNE-1.0", "permission"),
}
# Two are a judgement. "No known copyright restrictions" is an institution's belief, for which nobody vouches and
# which grants nothing: restricted. A work of the United States government has no copyright there by law (17 U.S.C.
# 105) and is used as free everywhere: open.
_FLICKR = (
    ("All Rights Reserved", Licence("ARR", "permission")),
    ("Attribution-NonCommercial-ShareAlike License", Licence("CC-BY-NC-SA-2.0", "restricted")),
    ("Attribution-NonCommercial License", Licence("CC-BY-NC-2.0", "restricted")),
    ("Attribution-NonCommercial-NoDerivs License", Licence("CC-BY-NC-ND-2.0", "restricted")),
    ("Attribution License", Licence("CC-BY-2.0", "open")),
    ("Attribution-ShareAlike License", Licence("CC-BY-SA-2.0", "open")),
    ("Attribution-NoDerivs License", Licence("CC-BY-ND-2.0", "restricted")),
    ("No known copyright restrictions", Licence("NKC-1.0", "restricted")),
    ("United States Government Work", Licence("USGov", "open")),
    ("Public Domain Dedication (CC0)", Licence("CC0-1.0", "open")),
    ("Public Domain Mark", Licence("PDM-1.0", "open")),
)


@lru_cache(maxsize=4096)
def licence_of(rights: str | None) -> Licence:
    """The licence that an address names: http or https, any version, country or language behind it."""
    address = _SCHEME.sub("", (rights or "").strip().lower(), count=1)
    retired = _EUROPEANA.match(address)
    if retired:
        return _RETIRED.get(retired[1], UNKNOWN)
    found = _CREATIVE_COMMONS.match(address) or _STATEMENTS.match(address)
    if not found or found[1] not in _CODES:
        return UNKNOWN
    name, reusability = _CODES[found[1]]
    return Licence(f"{name}-{found[2] or '1.0'}" if _has_version(name, found[2]) else name, reusability)


def _has_version(name: str, version: str | None) -> bool:
    """Whether the version is known: all but the Creative Commons licences have only had 1.0."""
    return version is not None or not name.startswith("CC-")


def flickr_licence(number: int | str | None) -> Licence:
    """The licence of Flickr's `photo.license`, 0 to 10, a number or a text; another number is unknown.

    Source: reply of flickr.photos.licenses.getInfo; its Creative Commons licences are of version 2.0.
    """
    known = _flickr(number)
    return known[1] if known else UNKNOWN


def flickr_licence_name(number: int | str | None) -> str | None:
    """What Flickr calls the licence, such as `Attribution License`; None for an unknown number."""
    known = _flickr(number)
    return known[0] if known else None


def _flickr(number: int | str | None) -> tuple[str, Licence] | None:
    text = str(number).strip()
    return _FLICKR[int(text)] if text.isascii() and text.isdecimal() and int(text) < len(_FLICKR) else None
