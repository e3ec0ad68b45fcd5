"""The rules of fetching: when to ask again, who forbids it, what was really sent."""

import io
import random
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from PIL import Image

from imagelake.fetch.content import check_content
from imagelake.fetch.optout import DIRECTIVES, HTML_BYTES, header_opt_out, meta_opt_out
from imagelake.fetch.retry import RETRIED, backoff_s, retry_after_s
from tests.conftest import jpeg

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)
URL = "https://pictures.example/1.jpg"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("9" * 400, 1e9),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        ("Sun Nov  6 08:49:37 1994", 30.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 30.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("٣", None),
        ("1e3", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +9999999999", None),
        ("06 Nov " + "9" * 50 + " 08:49:37 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert retry_after_s(value, there) == seconds


def test_backoff_doubles_up_to_its_cap_and_is_spread_over_the_whole_range() -> None:
    rng = random.Random(1)
    for attempt, bound in ((1, 0.5), (2, 1.0), (3, 2.0), (7, 20.0), (5000, 20.0)):
        waits = [backoff_s(attempt, rng, base_s=0.5, cap_s=20.0) for _ in range(500)]
        assert 0 <= min(waits) < 0.1 * bound
        assert 0.9 * bound < max(waits) <= bound
        assert 0.4 * bound < sum(waits) / 500 < 0.6 * bound


def test_what_is_worth_another_attempt() -> None:
    assert {"timeout", "reset", "http_429", "http_503"} <= RETRIED
    assert not RETRIED & {"http_404", "http_403", "http_501", "too_large", "robots", "opted_out", "html", "bad_url"}


@pytest.mark.parametrize("directive", sorted(DIRECTIVES))
def test_every_directive_of_a_header_counts(directive: str) -> None:
    assert header_opt_out([f"nofollow, {directive.upper()} "], "imagelake") == directive


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], None),
        ([""], None),
        (["all"], None),
        (["nofollow", "noai"], "noai"),
        (["imagelake: noindex"], "noindex"),
        (["ImageLake : nofollow, noml"], "noml"),
        (["otherbot: noai"], None),
        (["otherbot: nofollow, noai"], None),
        (["otherbot: noai, imagelake: noimageai"], "noimageai"),
        (["otherbot: nofollow", "noindex"], "noindex"),
        (["*: none"], "none"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "noai"),
        (["unavailable_after: Sunday, 25-Jun-10 15:00:00 PST, noai"], "noai"),
        (["unavailable_after: 2010-06-25T15:00:00Z"], None),
        (["otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], None),
        (["max-snippet: 20, max-image-preview:large, noimageindex"], "noimageindex"),
        (["noaint, xnoai, no ai"], None),
        (["::, :noai"], None),
    ],
)
def test_header_directives_for_us_and_for_others(values: list[str], found: str | None) -> None:
    assert header_opt_out(values, "imagelake") == found


@pytest.mark.parametrize(
    ("html", "found"),
    [
        (b'<html><head><meta name="robots" content="noai, noimageai">', "noai"),
        (b"<META CONTENT='NoIndex,nofollow' NAME=ROBOTS>", "noindex"),
        (b'<meta name="imagelake" content="noml"/>', "noml"),
        (b'<meta name="otherbot" content="noai">', None),
        (b'<meta name="robots" content="index, follow"><meta name="robots" content="none">', "none"),
        (b'<meta name="robots" content="nofollow noimageindex">', "noimageindex"),
        (b'<meta name="robots" name="x" content="noai" content="all">', "noai"),
        (b'<meta name="robots">', None),
        (b"<meta name content>", None),
        (b'<meta name="description" content="noai">', None),
        (b'<!-- <meta name="robots" content="noai"> -->', None),
        (b'<script>"<meta name=robots content=noai>"</script>', None),
        (b'<![<x]><![foo[ ]]><meta name="robots" content="noai">', "noai"),
        (b'\xff\xfe<title>\xe9\x00</title><meta name="robots" content="noai">'[2:], "noai"),
        ('\ufeff<meta name="robots" content="noai">'.encode("utf-16-le"), "noai"),
        ('\ufeff<meta name="robots" content="noai">'.encode("utf-16-be"), "noai"),
        ('\ufeff<p>ñ<meta name="robots" content="noai">'.encode(), "noai"),
        (b" " * HTML_BYTES + b'<meta name="robots" content="noai">', None),
        (b"", None),
    ],
)
def test_meta_directives(html: bytes, found: str | None) -> None:
    assert meta_opt_out(html, "ImageLake") == found


@pytest.mark.parametrize("piece", [b"<", b"<![", b"<!--", b"<a b='", b"<a\0", b"</", b"&#", b"<meta name=robots "])
def test_a_hostile_page_takes_no_long_time(piece: bytes) -> None:
    began = time.process_time()
    assert meta_opt_out(piece * (2 * HTML_BYTES // len(piece)), "imagelake") is None
    assert time.process_time() - began < 5


def _image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("claim", [None, "image/jpeg", "text/html", "application/json"])
def test_a_picture_is_one_whatever_the_server_calls_it(kind: str, claim: str | None) -> None:
    assert check_content(_image(kind), claim, URL, URL) is None
    assert check_content(_image(kind), claim, URL, "https://cdn.example/x/1.jpg?size=l") is None


@pytest.mark.parametrize(
    ("body", "claim", "reason"),
    [
        (b"", "image/jpeg", "empty"),
        (b"<!DOCTYPE html><html><title>Not\n found</title>", "image/jpeg", "html"),
        (b"\xef\xbb\xbf\n <!-- a page --><p>gone", None, "html"),
        (b"<script>location='/consent'</script>", None, "html"),
        (b"please log in", "text/html; charset=utf-8", "html"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "application/xhtml+xml", "html"),
        (b'{"error": "gone"}', "image/png", "json"),
        (b" [1, 2]", None, "json"),
        (b"null", "application/problem+json", "json"),
        (b"{not json", None, "not_an_image"),
        (b"[nothing]", None, "not_an_image"),
        (b"[]", None, "json"),
        (b"{ }", None, "json"),
        (b"<Error><Code>AccessDenied</Code></Error>", "application/xml", "not_an_image"),
        (b"%PDF-1.7 ...", "application/pdf", "not_an_image"),
        (b"GIF", "image/gif", "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "unsupported_format"),
    ],
)
def test_what_is_sent_in_place_of_a_picture(body: bytes, claim: str | None, reason: str) -> None:
    bad = check_content(body, claim, URL, URL)
    assert bad is not None
    assert bad.reason == reason
    assert "\n" not in bad.message


def test_the_title_of_a_page_is_in_the_message() -> None:
    bad = check_content(b"<html><head><title>\n Sign \xff in </title>", None, URL, URL)
    assert bad is not None
    assert bad.message == "an HTML page: Sign � in"


@pytest.mark.parametrize(
    "final_url",
    [
        "https://combo.staticflickr.com/pw/images/en-us/photo_unavailable.png",
        "https://s.yimg.com/pw/images/photo_unavailable_l.png?x=1",
        "https://i.imgur.com/removed.png",
        "https://x.example/img/image-not-found.jpg#top",
        "https://x.example/no_image_available.gif",
        "https://x.example/static/placeholder.webp",
    ],
)
def test_a_redirect_to_a_stand_in_is_no_picture(final_url: str) -> None:
    bad = check_content(_image("PNG"), "image/png", URL, final_url)
    assert bad is not None
    assert bad.reason == "unavailable_picture"
    assert check_content(_image("PNG"), "image/png", final_url, final_url) is None  # asked for by this very name
    assert check_content(_image("PNG"), "image/png", "https://a.example/no-image.png", final_url) is None


@pytest.mark.parametrize("name", ["removed_trees.jpg", "placeholders/1.jpg", "404/7.jpg", "missing-you.png", "cat.jpg"])
def test_a_redirect_to_another_name_is_a_picture(name: str) -> None:
    assert check_content(_image("PNG"), "image/png", URL, f"https://x.example/{name}") is None


def test_a_stand_in_is_known_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from hashlib import md5

    body = _image("PNG")
    monkeypatch.setattr("imagelake.fetch.content._STAND_INS", {md5(body).hexdigest()})
    bad = check_content(body, "image/png", URL, URL)
    assert bad is not None
    assert bad.reason == "unavailable_picture"
    assert check_content(jpeg(1), "image/png", URL, URL) is None
