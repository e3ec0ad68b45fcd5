"""What Flickr's replies mean."""

from collections.abc import Sequence
from typing import Any

import pytest

from imagelake.errors import ApiError, BadItem, UsageError
from imagelake.extract.records import exif_of_raw
from imagelake.sources.flickr.exif import Exif, check_required, exif_of, required_tags
from imagelake.sources.flickr.service import Flickr, api_key, is_busy, required_key


class Says:
    """An API that gives one reply, or raises one error, and remembers what it was asked."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.asked: list[dict[str, str]] = []

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Any:
        self.asked.append(dict(params))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def fail(code: object, message: str = "No") -> dict[str, object]:
    return {"stat": "fail", "code": code, "message": message}


def test_arguments_are_asked_as_text_and_none_is_left_out() -> None:
    api = Says({"stat": "ok"})
    assert Flickr(api).call("flickr.test", {"page": 2, "tags": None}) == {"stat": "ok"}
    assert api.asked == [{"method": "flickr.test", "page": "2", "format": "json", "nojsoncallback": "1"}]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 18, 20, 95, 96, 97, 98, 99, 100, 111, 112, 114, 115, 116, "100", 999])
def test_a_refusal_ends_in_one_line_with_the_code(code: object) -> None:
    with pytest.raises(ApiError) as told:
        Flickr(Says(fail(code))).call("flickr.photos.search", {})
    assert f"flickr.photos.search: No (code {code})" in str(told.value)
    assert not is_busy(fail(code))
    if str(code) == "100":
        assert "FLICKR_API_KEY" in str(told.value)


@pytest.mark.parametrize("code", [10, 105, 106, 201, "105"])
def test_not_now_is_busy(code: object) -> None:
    assert is_busy(fail(code))


def test_busy_is_also_told_by_words() -> None:
    assert is_busy(fail(0, "Sorry, the Flickr API service is not currently available."))
    assert not is_busy({"stat": "ok", "code": 105})
    assert not is_busy([105])


def test_an_answer_is_returned() -> None:
    assert Flickr(Says(fail(2))).call("flickr.photos.getExif", {}, answers=(1, 2))["code"] == 2


@pytest.mark.parametrize("reply", [{}, {"stat": "maybe"}, [], None])
def test_what_is_no_reply_is_an_error(reply: object) -> None:
    with pytest.raises(ApiError, match="has no stat"):
        Flickr(Says(reply)).call("flickr.test", {})


def test_a_refusal_with_an_http_status_is_read_too() -> None:
    error = ApiError("HTTP 403")
    error.__dict__.update(status=403, reply=fail(100, "Invalid API Key"))
    with pytest.raises(ApiError, match=r"Invalid API Key \(code 100\)"):
        Flickr(Says(error)).call("flickr.test", {})
    for reply in (None, "<html>", fail(105)):  # nothing to read, or busy to the end
        error.__dict__["reply"] = reply
        with pytest.raises(ApiError, match="HTTP 403"):
            Flickr(Says(error)).call("flickr.test", {})


def test_licences_are_looked_up_once_for_a_new_number() -> None:
    url = "https://creativecommons.org/licenses/by/4.0/"
    api = Says({"stat": "ok", "licenses": {"license": [{"id": "11", "url": url}, {"id": 0, "url": "", "name": "x"}]}})
    flickr = Flickr(api)
    assert flickr.rights("5") == "https://creativecommons.org/licenses/by-sa/2.0/"
    assert flickr.rights(None) is None
    assert not api.asked
    assert [flickr.rights(n) for n in (11, "12", 0)] == [url, None, "All Rights Reserved"]
    assert len(api.asked) == 1


def test_a_service_without_licences_leaves_them_unknown() -> None:
    assert Flickr(Says(fail(112))).rights(11) is None


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", " abc ")
    assert api_key() == required_key() == "abc"
    monkeypatch.setenv("FLICKR_API_KEY", "")
    assert api_key() is None
    with pytest.raises(UsageError, match="set FLICKR_API_KEY"):
        required_key()


def tag(name: str, value: object, space: str = "ExifIFD") -> dict[str, object]:
    return {"tagspace": space, "tag": name, "raw": {"_content": value}, "clean": {"_content": "wrong"}}


def test_exif_is_ok_denied_or_none() -> None:
    def asked(reply: object) -> Exif:
        return exif_of(Flickr(Says(reply)), {"id": "1", "secret": "a"})

    assert asked({"stat": "ok", "photo": {"exif": [tag("ISO", 1)]}}) == Exif("ok", [tag("ISO", 1)])
    assert asked({"stat": "ok", "photo": {"exif": []}}) == asked({"stat": "ok"}) == Exif("none", None)
    assert asked(fail(2)) == Exif("denied", None)
    with pytest.raises(BadItem, match="not_found"):
        asked(fail(1))


def test_required_tags_have_aliases() -> None:
    assert required_tags(["isospeed", "Aperture", "ISO"]) == ("ISO", "FNumber")
    with pytest.raises(UsageError, match=r"--require-tags Foo: choose from ISO,FNumber"):
        required_tags(["Foo", "ISO"])


def test_a_photo_without_a_required_tag_is_rejected_with_its_name() -> None:
    tags = [tag("Aperture", "2.8"), tag("ISO", 0), tag("Flash", " "), tag("Sharpness", "25", "XMP-crs"), "junk"]
    check_required(Exif("ok", tags), ("FNumber", "ISO"))
    with pytest.raises(BadItem, match="lacks Flash, Sharpness") as bad:
        check_required(Exif("ok", tags), ("ISO", "Flash", "Sharpness"))
    assert bad.value.reason == "missing_tags"
    with pytest.raises(BadItem, match="exif_denied"):
        check_required(Exif("denied", None), ("ISO",))
    check_required(Exif("denied", None), ())


def test_raw_counts_never_clean_and_the_last_of_a_name() -> None:
    exif = [
        tag("ISO", "100"), tag("ISO", 200, "XMP-exif"), tag("Saturation", "Normal"), tag("FNumber", 2.8),
        tag("Sharpness", "Hard"), tag("Sharpness", "25", "XMP-crs"), tag("Make", "A\0B", "IFD0"), tag("Flash", None), 7,
        {"tag": "Model", "raw": "D750"},
    ]  # fmt: skip
    row = exif_of_raw({"exif": exif})
    assert (row["iso"], row["saturation"], row["f_number"], row["sharpness"]) == (200, 0, 2.8, 2)
    tags = row["tags"]
    assert isinstance(tags, list)
    assert tags[:3] == [("ExifIFD ISO", "100"), ("XMP-exif ISO", "200"), ("ExifIFD Saturation", "Normal")]
    assert ("IFD0 Make", "AB") in tags
    assert ("XMP-crs Sharpness", "25") in tags
    assert ("Model", "D750") in tags
    assert "ExifIFD Flash" not in dict(tags)


def test_exif_of_mirflickr_is_a_mapping() -> None:
    row = exif_of_raw({"exif": {"Exposure": "0.01 sec (1/100)", "ISO Speed": "400"}})
    assert (row["exposure_time_s"], row["iso"]) == (0.01, 400)
    assert row["tags"] == [("Exposure", "0.01 sec (1/100)"), ("ISO Speed", "400")]
    assert exif_of_raw({})["tags"] == []
