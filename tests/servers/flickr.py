"""Flickr's REST API and its files. As a process of its own: python -m tests.servers.flickr --help."""

import argparse
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.servers.flickr_exif import camera, exif
from tests.servers.flickr_photos import DUMMY_SERVER, GROUPS, LICENCES, OWNERS, SIZES, TAGS, Photos
from tests.servers.flickr_replies import COMMON, ERRORS, formatted
from tests.servers.flickr_search import ARGUMENTS, Array, find, refused
from tests.servers.http import Bucket, Server
from tests.servers.messages import Reply, Seen, html, wait
from tests.servers.pictures import Pictures
from tests.servers.program import run

KEY = "0123456789abcdef0123456789abcdef"
WINDOW = 4000  # photos that one query can reach
GEO = ("bbox", "lat", "lon", "woe_id", "place_id", "radius")


class RefusedError(Exception):
    """The service says no, with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FlickrServer(Server):
    """Answers as www.flickr.com/services/rest/ and live.staticflickr.com do.

    Args:
        photos: number of photos.
        seed: other seeds give other photos.
        key: the only valid API key.
        beyond: what comes behind the first 4,000 results of a query: "repeat" earlier rows, or "error" 20.
        undercount: the reported total is too small by up to so many, of at most a fifth.
        shrinking: the reported total falls by so many from page to page.
        duplicates: each page but the first begins with so many photos of the page before.
        total_as_text: totals are strings, as in old replies.
        removed_every: every so many photos are gone: 302 to a picture that says so.
        requests_per_hour: more are refused with 429; files do not count.
        photo_options: further options of Photos.
        options: those of Server.
    """

    def __init__(
        self,
        *,
        photos: int = 1000,
        seed: int = 0,
        key: str = KEY,
        beyond: str = "repeat",
        undercount: int = 0,
        shrinking: int = 0,
        duplicates: int = 0,
        total_as_text: bool = False,
        removed_every: int = 0,
        requests_per_hour: int = 0,
        photo_options: dict[str, float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.photos = Photos(seed, photos, "", **(photo_options or {}))
        self.key, self.beyond, self.duplicates = key, beyond, duplicates
        self.undercount, self.shrinking, self.total_as_text = undercount, shrinking, total_as_text
        self.removed_every = removed_every
        self._limit = Bucket(requests_per_hour, 3600.0) if requests_per_hour else None
        self._pictures = Pictures(seed)

    def answer(self, request: Seen) -> Reply:
        self.photos.static_url = self.url
        if request.path.rstrip("/") != "/services/rest":
            return self._other(request)
        if self._limit and self._limit.wait_s():
            request.fault = "limit"
            return wait(429, None)
        try:
            return formatted({**self._call(request), "stat": "ok"}, request)
        except RefusedError as error:
            return self.refusal(request, error.code)

    def refusal(self, request: Seen, code: int) -> Reply:
        name = request.get("method")
        message = ERRORS.get(name, {}).get(code) or COMMON.get(code, "Unknown error")
        message = message.replace("xxx", request.get("format") if code == 111 else name)
        return formatted({"stat": "fail", "code": code, "message": message}, request)

    def _other(self, request: Seen) -> Reply:
        if request.path.startswith("/services/soap"):
            return self.refusal(request, 114)
        if request.path.startswith("/services/xmlrpc"):
            return self.refusal(request, 115)
        return self._file(request)

    def _call(self, request: Seen) -> dict[str, Any]:
        if request.get("format", "rest") not in {"json", "rest"}:
            raise RefusedError(111)
        method = _METHODS.get(request.get("method"))
        if method is None:
            raise RefusedError(112)
        if request.get("api_key") != self.key:
            raise RefusedError(100)
        if request.get("auth_token"):
            raise RefusedError(96 if request.get("api_sig") else 97)
        try:
            return method(self, request)
        except ValueError as error:  # a date, a licence or a box that is none
            raise RefusedError(18) from error

    def _file(self, request: Seen) -> Reply:
        """live.staticflickr.com."""
        if request.path == "/photo_unavailable.png":
            return Reply(200, self._pictures.get(0, "png"), "image/png")
        found = _FILE.fullmatch(request.path)
        n = self.photos.number(found[2]) if found else None
        size = next((size for size, (letter, _) in SIZES.items() if found and letter == (found[4] or "")), None)
        if (
            not found
            or n is None
            or size is None
            or found[1] == DUMMY_SERVER
            or found[3] != self.photos.secret(n, size)
        ):
            return html("Not Found", 404)
        if self.removed_every and n % self.removed_every == 0:
            return Reply(302, b"", None, (("Location", f"{self.url}/photo_unavailable.png"),))
        return Reply(200, self._pictures.get(n), "image/jpeg")

    # Methods

    def _search(self, request: Seen) -> dict[str, Any]:
        code = refused(request)
        if code:
            raise RefusedError(code)
        found = find(self.photos, tuple((name, request.get(name)) for name in ARGUMENTS if request.get(name)))
        cap = 250 if any(request.get(name) for name in GEO) else 500
        return {"photos": self._page(request, found, cap, WINDOW)}

    def _pool(self, request: Seen) -> dict[str, Any]:
        group = request.get("group_id")
        if group not in GROUPS:
            raise RefusedError(1)
        k = list(GROUPS).index(group)
        if k > 1:
            raise RefusedError({2: 2, 3: 4}[k])
        if request.get("user_id") and request.get("user_id") not in OWNERS:
            raise RefusedError(3)
        mask = self.photos.in_group[:, k].copy()
        tag = request.get("tags")
        if tag:
            mask &= self.photos.tags[:, TAGS.index(tag)] if tag in TAGS else False
        if request.get("user_id"):
            mask &= self.photos.owner == OWNERS.index(request.get("user_id"))
        reply = self._page(request, np.flatnonzero(mask)[::-1], 500, None)
        for row in reply["photo"]:
            n = self.photos.number(row["id"]) or 0
            row |= {"ownername": f"O'Neil {self.photos.owner[n]}", "dateadded": str(int(self.photos.uploaded[n]) + 60)}
        return {"photos": reply}

    def _number(self, request: Seen) -> int:
        n = self.photos.number(request.get("photo_id"))
        if n is None:
            raise RefusedError(1)
        return n

    def _exif(self, request: Seen) -> dict[str, Any]:
        n = self._number(request)
        if self.photos.is_denied[n]:
            raise RefusedError(2)
        about = {"id": self.photos.photo_id(n), "secret": self.photos.secret(n), "server": self.photos.server(n)}
        return {"photo": {**about, "farm": 66, "camera": camera(n), "exif": exif(n)}}

    def _info(self, request: Seen) -> dict[str, Any]:
        return {"photo": self.photos.info(self._number(request))}

    def _sizes(self, request: Seen) -> dict[str, Any]:
        return {"sizes": self.photos.sizes(self._number(request))}

    def _licences(self, request: Seen) -> dict[str, Any]:
        return {"licenses": {"license": [{"id": n, "name": name, "url": url} for n, name, url in LICENCES]}}

    def _lookup_group(self, request: Seen) -> dict[str, Any]:
        name = request.get("url").rstrip("/").rpartition("/")[2]
        for nsid, title in GROUPS.items():
            if name in {nsid, title.lower().partition(" ")[0]}:
                return {"group": {"id": nsid, "groupname": {"_content": title}}}
        raise RefusedError(1)

    # Lists

    def _page(self, request: Seen, found: Array, cap: int, window: int | None) -> dict[str, Any]:
        per_page = min(max(_integer(request.get("per_page"), 100), 1), cap)
        page = max(_integer(request.get("page"), 1), 1)
        if window is None:
            page = min(page, 10_000)
        shown = self._with_duplicates(found, per_page)
        places = np.arange((page - 1) * per_page, min(page * per_page, len(shown)))
        if window and len(places) and places[-1] >= window:
            if self.beyond == "error":
                raise RefusedError(20)
            places %= window
        total = len(shown) - min(self.undercount, len(shown) // 5) - self.shrinking * (page - 1)
        total = max(total, 0)
        extras = [name.strip() for name in request.get("extras").split(",")]
        return {
            "page": page,
            "pages": math.ceil(total / per_page),
            "perpage": per_page,
            "total": str(total) if self.total_as_text else total,
            "photo": [self.photos.row(n, extras) for n in shown[places].tolist()],
        }

    def _with_duplicates(self, found: Array, per_page: int) -> Array:
        again = min(self.duplicates, per_page // 2)
        if not again or len(found) <= per_page:
            return found
        step = per_page - again
        return np.concatenate([found[begin : begin + per_page] for begin in range(0, len(found) - again, step)])


def _integer(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


_FILE = re.compile(r"/(\d+)/(\d+)_([0-9a-f]{10})(?:_(\w+))?\.jpg")
_METHODS: dict[str, Callable[[FlickrServer, Seen], dict[str, Any]]] = {
    "flickr.photos.search": FlickrServer._search,
    "flickr.groups.pools.getPhotos": FlickrServer._pool,
    "flickr.photos.getExif": FlickrServer._exif,
    "flickr.photos.getInfo": FlickrServer._info,
    "flickr.photos.getSizes": FlickrServer._sizes,
    "flickr.photos.licenses.getInfo": FlickrServer._licences,
    "flickr.urls.lookupGroup": FlickrServer._lookup_group,
}
if __name__ == "__main__":
    program = argparse.ArgumentParser(description=__doc__)
    program.add_argument("--photos", type=int, default=1000)
    program.add_argument("--seed", type=int, default=0)
    program.add_argument("--key", default=KEY)
    program.add_argument("--beyond", choices=("repeat", "error"), default="repeat")
    program.add_argument("--undercount", type=int, default=0)
    program.add_argument("--duplicates", type=int, default=0)
    program.add_argument("--requests-per-hour", type=int, default=0)
    run(FlickrServer, program)
