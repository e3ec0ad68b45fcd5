"""Addresses: what stands in lists and records in, one spelling that is safe to ask out, or the reason why not."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import urljoin

import idna

from imagelake.errors import BadItem

MAX_LENGTH = 8192  # characters; RFC 9110, section 4.1, asks for at least 8,000 octets
_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_AFTER_SCHEME = re.compile(r"//(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@\\]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")  # the underscore is against the RFCs, but in use
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# Everything but RFC 3986's unreserved characters, sub-delims, ":", "@", "/" and escapes; "?" may stand in a query.
_NOT_IN_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/%-]+")
_NOT_IN_QUERY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]+")


@dataclass(frozen=True)
class Address:
    """An address in its one spelling.

    Args:
        url: the whole of it, without fragment.
        scheme: http or https.
        host: name in ASCII (IDNA), or IP address; IPv6 without brackets.
        port: the port, always.
        target: path and query.
        key: host, with its port where that is not the scheme's usual one: what politeness is counted by.
    """

    url: str
    scheme: str
    host: str
    port: int
    target: str
    key: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a robots.txt is good for (RFC 9309, section 2.3)."""
        return f"{self.scheme}://{self.key}"


def parse_address(url: str) -> Address:
    """The address that a text from outside means.

    As RFC 3986 and, for the host, as the WHATWG URL Standard: an IPv4 address may be written in every way that
    `inet_aton` reads, so that no private address hides behind a spelling. Dot segments are resolved, illegal
    characters percent-encoded as UTF-8; escapes stay as they are.

    Raises:
        BadItem: `bad_scheme` (neither http nor https) or `bad_url` (no address, with a user name, with control
            characters, too long).
    """
    text = url.strip()
    _check_text(text)
    found = _SCHEME.match(text)
    if not found:
        raise BadItem("bad_url", "the address has no scheme")
    scheme = found[1].lower()
    if scheme not in _PORTS:
        raise BadItem("bad_scheme", f"the scheme is {scheme[:20]}, not http or https")
    parts = _AFTER_SCHEME.fullmatch(text, found.end())
    if not parts:
        raise BadItem("bad_url", "the address has no host")
    host, port = _host_and_port(parts["authority"], _PORTS[scheme])
    shown = f"[{host}]" if ":" in host else host
    key = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    target = _target(parts["path"], parts["query"])
    _check_text(f"{scheme}://{key}{target}")
    return Address(f"{scheme}://{key}{target}", scheme, host, port, target, key)


def redirected(address: Address, location: str) -> Address:
    """Where a redirect leads (RFC 9110, section 10.2.2).

    Raises:
        BadItem: `bad_scheme` or `bad_url`.
    """
    try:
        return parse_address(urljoin(address.url, location.strip()))
    except ValueError as error:  # urljoin's word for brackets without an IPv6 address
        raise BadItem("bad_url", "a redirect to what is no address") from error


def host_key(url: str) -> str:
    """`Address.key` of a text; "" for one that is no address."""
    try:
        return parse_address(url).key
    except BadItem:
        return ""


def partition(key: str, n: int) -> int:
    """Which of n parts a host belongs to: the same in every process and on every machine."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) % n


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise BadItem("bad_url", f"an address of {len(text)} characters, more than {MAX_LENGTH}")
    if _CONTROL.search(text):
        raise BadItem("bad_url", "control characters in the address")


def _host_and_port(authority: str, usual_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise BadItem("bad_url", "the address has a user name")
    parts = _AUTHORITY.fullmatch(authority)
    if not parts:
        raise BadItem("bad_url", "the host is no name and no IP address")
    port = int(parts["port"] or usual_port)
    if not 0 < port < 1 << 16:
        raise BadItem("bad_url", f"there is no port {port}")
    return _ipv6(parts["ipv6"]) if parts["ipv6"] else _name(parts["name"]), port


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise BadItem("bad_url", "the host is no IPv6 address") from error


def _name(text: str) -> str:
    """A host name in ASCII and lower case, without the root's dot; or an IPv4 address in its usual spelling."""
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
        name = name.removesuffix(".")
        if _NUMBER.fullmatch(name):
            return str(ipaddress.IPv4Address(socket.inet_aton(name)))
    except (ValueError, OSError) as error:  # idna.IDNAError is a ValueError
        raise BadItem("bad_url", "the host is no name and no IP address") from error
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise BadItem("bad_url", "the host is no name and no IP address")
    return name


def _target(path: str, query: str | None) -> str:
    try:
        path = _without_dots(_NOT_IN_PATH.sub(_escaped, path))
        return path if query is None else f"{path}?{_NOT_IN_QUERY.sub(_escaped, query)}"
    except UnicodeEncodeError as error:
        raise BadItem("bad_url", "half a character in the address") from error


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4; `%2e` is a dot, as in the WHATWG URL Standard."""
    if "/." not in path and "/%2" not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")[1:]
    for i, segment in enumerate(segments):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
        if dots in (".", "..") and i == len(segments) - 1:
            kept.append("")  # a folder stays a folder
    return "/" + "/".join(kept)


_NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")  # RFC 4291, section 2.4: what is given to hosts
_6TO4 = ipaddress.ip_network("2002::/16")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(ip: str) -> bool:
    """Whether an IP address is one of the open Internet.

    By the IANA special-purpose registries (RFC 6890): not private, loopback, link-local (the metadata services of
    clouds among them), shared (RFC 6598), documentation, benchmarking, multicast, reserved, unspecified, Teredo. What
    carries an IPv4 address (mapped, NAT64, 6to4) is as public as that.
    """
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner_ipv4(address)
        if inner is not None:
            return is_public(str(inner))
        if address not in _GLOBAL_IPV6:
            return False
    return not any(address in block for block in _NOT_PUBLIC)


def _inner_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
