"""Rights statements and Flickr's licences."""

import json
from pathlib import Path

import pytest

from imagelake.sources.rights import UNKNOWN, Licence, flickr_licence, flickr_licence_name, licence_of


@pytest.mark.parametrize(
    ("rights", "code", "reusability"),
    [
        ("http://creativecommons.org/publicdomain/mark/1.0/", "PDM-1.0", "open"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", "open"),
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0", "open"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0", "open"),
        ("https://creativecommons.org/licenses/by-sa/3.0/nl/", "CC-BY-SA-3.0", "open"),
        ("http://www.creativecommons.org/licenses/by-sa/2.5/deed.de", "CC-BY-SA-2.5", "open"),
        ("HTTP://CreativeCommons.org/licenses/BY/2.0", "CC-BY-2.0", "open"),
        ("http://creativecommons.org/licenses/by-sa/", "CC-BY-SA", "open"),
        ("http://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0", "restricted"),
        ("http://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0", "restricted"),
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/", "CC-BY-NC-ND-4.0", "restricted"),
        ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0", "restricted"),
        ("http://creativecommons.org/licenses/by-nd/4.0/", "CC-BY-ND-4.0", "restricted"),
        ("http://rightsstatements.org/vocab/InC-EDU/1.0/", "InC-EDU-1.0", "restricted"),
        ("http://rightsstatements.org/vocab/NoC-NC/1.0/", "NoC-NC-1.0", "restricted"),
        ("https://rightsstatements.org/page/NoC-OKLR/1.0/?language=en", "NoC-OKLR-1.0", "restricted"),
        ("http://rightsstatements.org/vocab/InC/1.0/", "InC-1.0", "permission"),
        ("https://rightsstatements.org/vocab/InC/2.0/", "InC-2.0", "permission"),
        ("http://rightsstatements.org/vocab/InC-OW-EU/1.0/", "InC-OW-EU-1.0", "permission"),
        ("http://rightsstatements.org/vocab/CNE/1.0/", "CNE-1.0", "permission"),
        ("http://www.europeana.eu/rights/rr-f/", "rr-f", "permission"),
        ("https://europeana.eu/rights/rr-p", "rr-p", "permission"),
        ("http://www.europeana.eu/rights/rr-r/", "rr-r", "permission"),
        ("http://www.europeana.eu/rights/out-of-copyright-non-commercial/", "NoC-NC-1.0", "restricted"),
        ("http://www.europeana.eu/rights/unknown/", "CNE-1.0", "permission"),
    ],
)
def test_addresses(rights: str, code: str, reusability: str) -> None:
    assert licence_of(rights) == Licence(code, reusability)


@pytest.mark.parametrize(
    "rights",
    [
        None,
        "",
        "All rights reserved",
        "https://example.org/creativecommons.org/licenses/by/4.0/",
        "http://creativecommons.org/licenses/by-xx/4.0/",
        "http://creativecommons.org.example.org/licenses/by/4.0/",
        "http://rightsstatements.org/vocab/InCredible/1.0/",
        "http://www.europeana.eu/rights/rr-z/",
    ],
)
def test_what_is_not_known_is_null(rights: str | None) -> None:
    assert licence_of(rights) == UNKNOWN


def test_flickr_numbers() -> None:
    allowed = {i: flickr_licence(i).reusability for i in range(11)}
    assert [i for i, kind in allowed.items() if kind == "permission"] == [0]
    assert [i for i, kind in allowed.items() if kind == "restricted"] == [1, 2, 3, 6, 7]
    assert [i for i, kind in allowed.items() if kind == "open"] == [4, 5, 8, 9, 10]
    assert flickr_licence("5") == Licence("CC-BY-SA-2.0", "open")
    assert flickr_licence(0) == Licence("ARR", "permission")
    assert [flickr_licence(odd) for odd in (11, -1, None, "", "x", "٣")] == [UNKNOWN] * 6
    assert flickr_licence_name("8") == "United States Government Work"
    assert flickr_licence_name(99) is None


def test_flickrs_own_list_agrees(corpus: Path) -> None:
    reply = json.loads((corpus / "flickr" / "reply_license_0.json").read_text(encoding="utf-8"))
    known = reply["licenses"]["license"]
    assert len(known) == 11
    for licence in known:
        assert flickr_licence_name(licence["id"]) == licence["name"]
        if "creativecommons" in licence["url"]:
            assert flickr_licence(licence["id"]) == licence_of(licence["url"])
