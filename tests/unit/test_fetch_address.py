"""One spelling for every address, and which of them are public."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import BadItem
from imagelake.fetch.address import MAX_LENGTH, Address, host_key, is_public, parse_address, partition, redirected


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("http://example.org", "http://example.org/"),
        ("  HTTP://Example.ORG:80/a?b#c\n", "http://example.org/a?b"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:/x", "http://example.org/x"),
        ("http://example.org./x", "http://example.org/x"),
        ("http://example.org?q=1", "http://example.org/?q=1"),
        ("http://example.org/a?", "http://example.org/a?"),
        ("http://example.org/a b/ü.jpg?x=ü y", "http://example.org/a%20b/%C3%BC.jpg?x=%C3%BC%20y"),
        ("http://example.org/100%/%41%zz", "http://example.org/100%25/%41%25zz"),
        ('http://example.org/<"\\^`{|}>[]', "http://example.org/%3C%22%5C%5E%60%7B%7C%7D%3E%5B%5D"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/a/%2e%2E/b/..", "http://example.org/"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a//b/.hidden/%2f", "http://example.org/a//b/.hidden/%2f"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://例え。テスト/", "http://xn--r8jz45g.xn--zckzah/"),
        ("http://foo_bar-.example.org/", "http://foo_bar-.example.org/"),
        ("http://[2001:DB8:0:0::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://example.0x7g/", "http://example.0x7g/"),
        ("http://127.1./", "http://127.0.0.1/"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1/"),
    ],
)
def test_one_spelling(given_url: str, url: str) -> None:
    assert parse_address(given_url).url == url


@pytest.mark.parametrize(
    ("given_url", "reason"),
    [
        ("", "bad_url"),
        ("example.org/a.jpg", "bad_url"),
        ("//example.org/a.jpg", "bad_url"),
        ("ftp://example.org/", "bad_scheme"),
        ("file:///etc/passwd", "bad_scheme"),
        ("javascript:alert(1)", "bad_scheme"),
        ("data:image/png;base64,AAAA", "bad_scheme"),
        ("http:example.org", "bad_url"),
        ("http:/example.org", "bad_url"),
        ("http:///a", "bad_url"),
        ("http://?a", "bad_url"),
        ("http://:80/", "bad_url"),
        ("http://user@example.org/", "bad_url"),
        ("http://user:secret@example.org/", "bad_url"),
        ("http://example.org@127.0.0.1/", "bad_url"),
        ("http://example.org\\@127.0.0.1/", "bad_url"),
        ("http://example.org\\.evil.org/", "bad_url"),
        ("http://example.org:0/", "bad_url"),
        ("http://example.org:65536/", "bad_url"),
        ("http://example.org:80a/", "bad_url"),
        ("http://exa mple.org/", "bad_url"),
        ("http://exa%6dple.org/", "bad_url"),
        ("http://a..b/", "bad_url"),
        (f"http://{'a' * 64}.org/", "bad_url"),
        (f"http://{'a.' * 127}org/", "bad_url"),
        ("http://[::1/", "bad_url"),
        ("http://[::1%25eth0]/", "bad_url"),
        ("http://[1.2.3.4]/", "bad_url"),
        ("http://1.2.3.256/", "bad_url"),
        ("http://1.2.3.4.5/", "bad_url"),
        ("http://example.org/\r\nHost: evil", "bad_url"),
        ("http://example.org/\0", "bad_url"),
        ("http://example.org/\x85a", "bad_url"),
        ("http://example.org/\ud800", "bad_url"),
        ("http://\ud800.org/", "bad_url"),
        ("http://example.org/" + "a" * MAX_LENGTH, "bad_url"),
        ("http://example.org/" + "ü" * (MAX_LENGTH // 4), "bad_url"),
    ],
)
def test_no_address(given_url: str, reason: str) -> None:
    with pytest.raises(BadItem) as raised:
        parse_address(given_url)
    assert raised.value.reason == reason
    assert "secret" not in raised.value.message
    assert host_key(given_url) == ""


def test_parts_of_an_address() -> None:
    address = parse_address("https://Example.org:8443/a/b?c=d#e")
    assert address == Address(
        "https://example.org:8443/a/b?c=d", "https", "example.org", 8443, "/a/b?c=d", "example.org:8443"
    )
    assert address.origin == "https://example.org:8443"
    assert parse_address("http://[::1]:81/").host == "::1"
    assert host_key("http://example.org/") == host_key("https://example.org/") == "example.org"
    assert host_key("http://[::1]:81/") == "[::1]:81"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("b.jpg", "https://example.org/a/b.jpg"),
        ("/b c.jpg", "https://example.org/b%20c.jpg"),
        ("//other.org/b", "https://other.org/b"),
        ("http://other.org", "http://other.org/"),
        ("?x", "https://example.org/a/a.jpg?x"),
        ("../../../b#f", "https://example.org/b"),
    ],
)
def test_redirects_are_relative(location: str, url: str) -> None:
    assert redirected(parse_address("https://example.org/a/a.jpg"), location).url == url


@pytest.mark.parametrize("location", ["ftp://example.org/", "http://[", "http://user@example.org/", "mailto:a@b.c"])
def test_redirects_to_what_is_no_address(location: str) -> None:
    with pytest.raises(BadItem):
        redirected(parse_address("https://example.org/"), location)


TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
PARTS = st.lists(st.sampled_from([*"/.?#%&=[]@:\\ aZ9-_", "..", "%2e", "é", "日", "%zz", "ß"]), max_size=15).map(
    "".join
)


@given(
    st.sampled_from(["http://", "https://", "HTTP:", "//", ""]),
    st.one_of(TEXT, PARTS, st.just("example.org"), st.ip_addresses().map(str)),
    st.one_of(TEXT, PARTS),
)
def test_parsing_twice_changes_nothing(scheme: str, host: str, rest: str) -> None:
    try:
        address = parse_address(f"{scheme}{host}/{rest}")
    except BadItem:
        return
    assert parse_address(address.url) == address
    assert address.url.isascii()
    assert address.url == f"{address.scheme}://{address.key}{address.target}"
    assert not set(address.target) & set(' "<>\\^`{|}#')


@pytest.mark.parametrize(
    "ip",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.9", "169.254.169.254", "172.16.0.1", "172.31.9.9",
        "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.7",
        "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2001:20::1",
        "2002:7f00:1::1", "2002:c0a8:101::", "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    "ip",
    ["1.1.1.1", "9.255.255.255", "100.63.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.1",
     "2606:4700::1", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:4860::8888"],
)  # fmt: skip
def test_public_addresses(ip: str) -> None:
    assert is_public(ip)


def test_hosts_are_spread_over_parts_in_the_same_way_everywhere() -> None:
    assert [partition("example.org", n) for n in (1, 2, 16, 1000)] == [0, 1, 5, 461]
    counts = [0] * 8
    for i in range(8000):
        counts[partition(f"host{i}.example.org", 8)] += 1
    assert 850 < min(counts) <= max(counts) < 1150
