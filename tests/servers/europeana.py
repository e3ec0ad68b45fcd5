"""Europeana's Search, Record and Thumbnail API. As a process of its own: python -m tests.servers.europeana --help."""

import argparse
import base64
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.servers.europeana_objects import record_object
from tests.servers.europeana_query import BadQueryError, Search
from tests.servers.europeana_records import Collection
from tests.servers.http import Bucket, Server
from tests.servers.messages import Reply, Seen, html, json_reply
from tests.servers.pictures import Pictures
from tests.servers.program import run

DEEP = "It is not possible to paginate beyond the first 1000 search results. Please use cursor-based pagination instead"
ERRORS = {
    400: ("Bad request", "400-SC"),
    401: ("Invalid API key", "401_key_invalid"),
    404: ("Invalid record identifier", "404-RC"),
    429: ("The request could not be served because the application has reached its usage limit", None),
    500: ("Internal Server Error", None),
}
FACETS = ("TYPE", "LANGUAGE", "YEAR", "PROVIDER", "DATA_PROVIDER", "COUNTRY", "RIGHTS", "REUSABILITY")


class EuropeanaServer(Server):
    """Answers as api.europeana.eu does.

    Args:
        records: number of records.
        datasets: number of datasets.
        seed: other seeds give other records.
        key: the only valid API key, as `wskey` or in the header X-Api-Key.
        key_status: status of the refusal of a key: 400 as the service does today, or 401 as documented.
        images: pattern(s) of edmIsShownBy with {n} for the record's number, such as f"{host.url}/pic/{{n}}.jpg".
        duplicates: each page but the first begins with so many records of the page before.
        changing_totals: totalResults differs from page to page.
        missing_fields: probability of any field to be missing.
        bad_every: every so many records of a page is none: without id, or with values of the wrong type.
        trailing_page: nextCursor is also on the last page; it leads to an empty one.
        requests_per_second: more are refused with 429.
        options: those of Server.
    """

    def __init__(
        self,
        *,
        records: int = 1000,
        datasets: int = 20,
        seed: int = 0,
        key: str = "the-key",
        key_status: int = 400,
        images: str | Sequence[str] = "https://images.example.org/pic/{n}.jpg",
        duplicates: int = 0,
        changing_totals: bool = False,
        missing_fields: float = 0.0,
        bad_every: int = 0,
        trailing_page: bool = False,
        requests_per_second: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        patterns = (images,) if isinstance(images, str) else images
        self.collection = Collection(seed, records, datasets, patterns, missing_fields)
        self.key, self.key_status = key, key_status
        self.duplicates, self.changing_totals, self.bad_every = duplicates, changing_totals, bad_every
        self.trailing_page = trailing_page
        self._search = Search(self.collection)
        self._limit = Bucket(requests_per_second, 1.0) if requests_per_second else None
        self._pictures = Pictures(seed)
        self._pages = 0

    def answer(self, request: Seen) -> Reply:
        if request.path.startswith("/thumbnail/v2/url.json"):
            return self._thumbnail(request)
        if self._limit and self._limit.wait_s():
            request.fault = "limit"
            return self.refusal(request, 429)
        key = request.headers.get("x-api-key") or request.get("wskey")
        if key != self.key:
            message = "Invalid API key" if key else "No API key provided"
            return self._error(key, self.key_status, message, "401_key_invalid" if key else "401_key_missing")
        if re.fullmatch(r"/(api/v2|record/v2|record)/search\.json", request.path):
            return self._find(request, key)
        found = re.fullmatch(r"/record(?:/v2)?/?(/\w*/\w*)\.json", request.path)
        return self._record(found[1], key) if found else html("Not Found", 404)

    def refusal(self, request: Seen, code: int) -> Reply:
        message, name = ERRORS.get(code, ("Error", None))
        return self._error(request.get("wskey"), code, message, name)

    def _error(self, key: str, status: int, message: str, code: str | None) -> Reply:
        body = {"apikey": key, "success": False, "statsDuration": 0, "error": message}
        return json_reply({**body, "code": code} if code else body, status)

    def _record(self, name: str, key: str) -> Reply:
        n = self.collection.numbers.get(name)
        if n is None:
            return self._error(key, 404, f"Invalid record identifier: {name}", "404-RC")
        about = {"apikey": key, "success": True, "statsDuration": 1, "requestNumber": 999}
        return json_reply({**about, "object": record_object(self.collection, n)})

    def _thumbnail(self, request: Seen) -> Reply:
        number = re.search(r"(\d+)\D*$", request.get("uri"))
        if not number or "example.invalid" in request.get("uri"):
            return Reply(404, self._pictures.get(0, "png"), "image/png")  # the icon of the type
        width = int(request.get("size", "w400").removeprefix("w"))
        return Reply(200, self._pictures.thumbnail(int(number[1]), width), "image/jpeg")

    # Search

    def _find(self, request: Seen, key: str) -> Reply:
        if "query" not in request.query:
            return self._error(key, 400, "Missing query parameter", "400-SC")
        try:
            rows, start = min(int(request.get("rows", "12")), 100), int(request.get("start", "1"))
            offset = self._offset(request, start, rows)
            found = self._found(request)
        except BadQueryError as error:
            return self._error(key, 400, f"Invalid query: {error}", "400-SC")
        except ValueError as error:
            return self._error(key, 400, str(error), "400-SC")
        reply = self._page(request, key, found, offset, rows)
        if "callback" in request.query:
            body = f"{request.get('callback')}(".encode() + reply.body + b");"
            return replace(reply, body=body, content_type="application/javascript;charset=UTF-8")
        return reply

    def _offset(self, request: Seen, start: int, rows: int) -> int:
        if rows < 0 or start < 1:
            raise ValueError("The parameters start and rows must not be negative")
        if "cursor" not in request.query:
            if start + rows > 1000:
                raise ValueError(DEEP)
            return start - 1
        if "start" in request.query and start != 1:
            raise ValueError("Parameters 'start' and 'cursor' cannot be used together")
        return 0 if request.get("cursor") == "*" else read_cursor(request.get("cursor"))

    def _found(self, request: Seen) -> np.ndarray:
        queries = (request.get("query"), *request.query.get("qf", ()))
        given = {"REUSABILITY": "reusability", "has_media": "media", "has_thumbnails": "thumbnail", "theme": "theme"}
        filters = tuple((field, request.get(name)) for field, name in given.items() if request.get(name))
        return self._search.find(queries, filters, request.get("sort", "score"))

    def _page(self, request: Seen, key: str, found: np.ndarray, offset: int, rows: int) -> Reply:
        profiles = set(re.split(r"[\s,]+", request.get("profile", "standard")))
        profile = next((name for name in ("minimal", "rich", "portal") if name in profiles), "standard")
        begin = offset - min(self.duplicates, offset, rows // 2)
        items = [self.collection.item(n, profile, key) for n in found[begin : begin + rows].tolist()]
        if self.bad_every:
            items = [self._spoil(i, item) for i, item in enumerate(items, begin)]
        self._pages += 1
        total = len(found) + (self._pages * 7919 % 11 - 5 if self.changing_totals else 0)
        reply: dict[str, Any] = {"apikey": key, "success": True, "requestNumber": 999}
        reply |= {"itemsCount": len(items), "totalResults": max(total, 0)}
        after = begin + len(items)
        if "cursor" in request.query and items and (after < len(found) or self.trailing_page):
            reply["nextCursor"] = make_cursor(after)
        reply["items"] = items
        if profiles & {"facets", "portal"}:
            reply["facets"] = self._facets(request, found)
        if "params" in profiles:
            reply["params"] = {name: values[0] for name, values in request.query.items()}
        if profiles & {"breadcrumbs", "portal"}:
            reply["breadcrumbs"] = [{"display": request.get("query"), "param": "query", "last": True}]
        return json_reply(reply)

    def _spoil(self, i: int, item: dict[str, Any]) -> dict[str, Any]:
        if i % self.bad_every:
            return item
        without = {name: value for name, value in item.items() if name != "id"}
        wrong = {**item, "title": item["id"], "edmIsShownBy": None, "dcTitleLangAware": [], "rights": {"def": []}}
        return (without, {**item, "id": None}, wrong)[i // self.bad_every % 3]

    def _facets(self, request: Seen, found: np.ndarray) -> list[dict[str, Any]]:
        names = [name for value in request.query.get("facet", ("DEFAULT",)) for name in value.split(",")]
        facets = []
        for name in dict.fromkeys(FACETS if names == ["DEFAULT"] else names):
            field = self.collection.fields.get(name)
            if field is None:
                continue
            limit = int(request.get(f"f.{name}.facet.limit", "50"))
            offset = int(request.get(f"f.{name}.facet.offset", "0"))
            counts = zip(field.labels, np.bincount(field.codes[found], minlength=len(field.labels)), strict=True)
            by_label: dict[str, int] = {}
            for label, count in counts:
                by_label[label] = by_label.get(label, 0) + int(count)
            ordered = sorted(((-count, label) for label, count in by_label.items() if count))
            fields = [{"label": label, "count": -count} for count, label in ordered[offset : offset + limit]]
            facets.append({"name": name, "fields": fields})
        return facets


def make_cursor(offset: int) -> str:
    """An opaque word that says where a page begins; it has +, / and =, so that it must be encoded in a URL."""
    data = b"\xfb\xef\xbe\xff\xff\xff" + offset.to_bytes(5, "big")
    return base64.b64encode(data + zlib.crc32(data).to_bytes(5, "big")).decode()


def read_cursor(cursor: str) -> int:
    """The same back.

    Raises:
        ValueError: it is none.
    """
    try:
        data = base64.b64decode(cursor, validate=True)
    except ValueError:
        data = b""
    if len(data) != 16 or zlib.crc32(data[:-5]) != int.from_bytes(data[-5:], "big"):
        raise ValueError(f"Invalid cursor mark: {cursor}")
    return int.from_bytes(data[6:11], "big")


if __name__ == "__main__":
    program = argparse.ArgumentParser(description=__doc__)
    program.add_argument("--records", type=int, default=1000)
    program.add_argument("--datasets", type=int, default=20)
    program.add_argument("--seed", type=int, default=0)
    program.add_argument("--key", default="the-key")
    program.add_argument("--images", action="append", help="pattern of edmIsShownBy with {n}; may be repeated")
    program.add_argument("--duplicates", type=int, default=0)
    program.add_argument("--requests-per-second", type=float, default=0.0)
    run(EuropeanaServer, program)
