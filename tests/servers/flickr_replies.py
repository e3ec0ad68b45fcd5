"""Flickr's error codes with their messages, as its API documentation lists them, and its formats."""

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.servers.messages import Reply, Seen

COMMON = {
    95: "SSL is required",
    96: "Invalid signature",
    97: "Missing signature",
    98: "Login failed / Invalid auth token",
    99: "User not logged in / Insufficient permissions",
    100: "Invalid API Key (Key has invalid format)",
    105: "Service currently unavailable",
    106: "Write operation failed",
    111: 'Format "xxx" not found',
    112: 'Method "xxx" not found',
    114: "Invalid SOAP envelope",
    115: "Invalid XML-RPC Method Call",
    116: "Bad URL found",
}
ERRORS = {
    "flickr.photos.search": {
        1: "Too many tags in ALL query",
        2: "Unknown user",
        3: "Parameterless searches have been disabled",
        4: "You don't have permission to view this pool",
        5: "User deleted",
        10: "Sorry, the Flickr search API is not currently available.",
        11: "No valid machine tags",
        12: "Exceeded maximum allowable machine tags",
        13: "jump_to not avaiable for this query",
        14: "Bad value for jump_to",
        15: "Photo not found",
        16: "You can only search within your own favorites",
        17: "You can only search within your own contacts",
        18: "Illogical arguments",
        19: "Similarity search invalid.",
        20: "Excessive photo offset in search",
    },
    "flickr.groups.pools.getPhotos": {
        1: "Group not found",
        2: "You don't have permission to view this pool",
        3: "Unknown user",
        4: "Group/pool is member only",
    },
    "flickr.photos.getExif": {1: "Photo not found", 2: "Permission denied"},
    "flickr.photos.getInfo": {1: "Photo not found."},
    "flickr.photos.getSizes": {1: "Photo not found", 2: "Permission denied"},
    "flickr.urls.lookupGroup": {1: "Group not found"},
}


def formatted(value: dict[str, Any], request: Seen) -> Reply:
    """JSON, JSON in a call, or XML; failures too have status 200."""
    if request.get("format") == "json":
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if request.get("nojsoncallback") != "1":
            text = f"{request.get('jsoncallback', 'jsonFlickrApi')}({text})"
        return Reply(200, text.encode(), "application/json; charset=utf-8")
    if value["stat"] == "fail":
        inner = f"\t<err code={quoteattr(str(value['code']))} msg={quoteattr(value['message'])} />\n"
    else:
        inner = "".join(_xml(name, part) for name, part in value.items() if name != "stat")
    text = f'<?xml version="1.0" encoding="utf-8" ?>\n<rsp stat="{value["stat"]}">\n{inner}</rsp>\n'
    return Reply(200, text.encode(), "text/xml; charset=utf-8")


def _xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(name, part if isinstance(part, dict) else {"_content": part}) for part in value)
    attributes, inner = "", ""
    for key, part in value.items():
        if key == "_content":
            inner += escape(str(part))
        elif isinstance(part, dict | list):
            inner += _xml(key, part)
        else:
            attributes += f" {key}={quoteattr(_text(part))}"
    return f"<{name}{attributes}>{inner}</{name}>\n"


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)
