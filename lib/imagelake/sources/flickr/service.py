"""Flickr's REST API: method and arguments in, parsed reply out; what each code of a refusal means.

Flickr answers refusals with HTTP 200 and `{"stat": "fail", "code": N, "message": ...}`. Some of these mean "not now",
some are an answer about one photo, the rest end a run.
Source: the lists of error codes on the pages of the methods at https://www.flickr.com/services/api/.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from imagelake.errors import ApiError, UsageError
from imagelake.fetch.api import JsonApi

API_URL = "https://www.flickr.com/services/rest"
KEY_VARIABLE = "FLICKR_API_KEY"
RATE_PER_S = 1.0  # Flickr allows 3,600 requests per hour and key
CONCURRENCY = 10

# 10 search not available, 105 service not available, 106 write failed, 201 (undocumented) too many requests
_BUSY = (10, 105, 106, 201)
_ADVICE = {
    95: "use https:// in --api-url",
    98: "this needs a login, which is not supported",
    99: "this needs a login, which is not supported",
    100: f"set {KEY_VARIABLE} to a valid key",
}
_CC = {1: "by-nc-sa", 2: "by-nc", 3: "by-nc-nd", 4: "by", 5: "by-sa", 6: "by-nd"}
_RIGHTS = {
    0: "All Rights Reserved",
    **{number: f"https://creativecommons.org/licenses/{kind}/2.0/" for number, kind in _CC.items()},
    7: "https://www.flickr.com/commons/usage/",
    8: "http://www.usa.gov/copyright.shtml",
    9: "https://creativecommons.org/publicdomain/zero/1.0/",
    10: "https://creativecommons.org/publicdomain/mark/1.0/",
}

Reply = Mapping[str, Any]


class Gets(Protocol):
    """What is used of `JsonApi`."""

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Any:
        """The parsed JSON of a GET."""


def api_key() -> str | None:
    """The key from the environment, or None where there is none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


def required_key() -> str:
    """The key from the environment.

    Raises:
        UsageError: there is none.
    """
    key = api_key()
    if key is None:
        raise UsageError(f"set {KEY_VARIABLE} to your Flickr API key (https://www.flickr.com/services/api/keys/)")
    return key


def is_busy(reply: Any) -> bool:
    """Whether a reply means that the same request may succeed later."""
    if not isinstance(reply, Mapping) or reply.get("stat") != "fail":
        return False
    message = str(reply.get("message", "")).lower()
    return code_of(reply) in _BUSY or ("currently" in message and "available" in message)


def code_of(reply: Reply) -> int:
    """The code of a refusal; 0 where it has none, or one that is no number."""
    return as_int(reply.get("code"), 0)


def as_int(value: object, default: int) -> int:
    """A number that Flickr writes sometimes as a number and sometimes as text."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return default


class Flickr:
    """Calls methods of the API; safe to use from several threads if `api` is."""

    def __init__(self, api: Gets) -> None:
        self._api = api
        self._rights = _RIGHTS

    def rights(self, number: object) -> str | None:
        """The address of a photo's licence (`license` of a photo), or "All Rights Reserved"; None when unknown.

        The first number above 10 makes the service tell its list.
        """
        licence = as_int(number, -1)
        if licence > max(_RIGHTS) and self._rights is _RIGHTS:
            listed = (
                self.call("flickr.photos.licenses.getInfo", {}, answers=(112,)).get("licenses", {}).get("license", ())
            )
            self._rights = {as_int(one.get("id"), -1): str(one.get("url") or one.get("name")) for one in listed}
            self._rights |= _RIGHTS
        return self._rights.get(licence)

    def call(self, method: str, arguments: Mapping[str, object], answers: Sequence[int] = ()) -> Reply:
        """Call a method.

        Args:
            method: `flickr.photos.search` and the like.
            arguments: those that are None are left out.
            answers: codes of refusals that are answers; their replies are returned too (see `code_of`).

        Returns:
            The reply, with `stat` "ok" or, for one of the `answers`, "fail".

        Raises:
            ApiError: the method refused, or what came is no reply of Flickr. One line.
        """
        given = [(name, str(value)) for name, value in arguments.items() if value is not None]
        params = [("method", method), *given, ("format", "json"), ("nojsoncallback", "1")]
        try:
            reply = self._api.get("/", params)
        except ApiError as error:
            reply = getattr(error, "reply", None)
            if not isinstance(reply, Mapping) or reply.get("stat") != "fail" or is_busy(reply):
                raise
        if not isinstance(reply, Mapping) or reply.get("stat") not in {"ok", "fail"}:
            raise ApiError(f"Flickr: {method}: the reply has no stat: is --api-url the address of a Flickr API?")
        if reply["stat"] == "fail" and code_of(reply) not in answers:
            raise ApiError(refusal(method, reply))
        return reply


def refusal(method: str, reply: Reply) -> str:
    """One line about a reply that refuses."""
    code = code_of(reply)
    advice = f": {_ADVICE[code]}" if code in _ADVICE else ""
    return f"Flickr: {method}: {str(reply.get('message', 'refused'))[:300]} (code {code}){advice}"


@contextmanager
def open_flickr(api_url: str, key: str, rate_per_s: float) -> Iterator[Flickr]:
    """The API under an address, asked at most `rate_per_s` times a second with retries; closed at the end."""
    secret = ("api_key", key)
    with JsonApi(api_url, secret=secret, rate_per_s=rate_per_s, concurrency=CONCURRENCY, is_busy=is_busy) as api:
        yield Flickr(api)
