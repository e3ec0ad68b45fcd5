"""Europeana's Search API: parameters in, checked replies and rows of `records` out.

Source: Europeana Search API documentation, https://europeana.atlassian.net/wiki/spaces/EF/pages/2385739812
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from imagelake.errors import ApiError, BadItem, UsageError
from imagelake.fetch.api import JsonApi
from imagelake.sources.harvesting import Row
from imagelake.sources.rights import licence_of

PROVIDER = "europeana"
API_URL = "https://api.europeana.eu"
KEY_VARIABLE = "EUROPEANA_API_KEY"
RATE_PER_S = 10.0  # "fair use" without a number; 10 pages of 100 records are 3.6 million records an hour
MAX_ROWS = 100  # of a page; the service gives no more
PAGE_URL = "https://www.europeana.eu/item"
_BIGINT = 2**63 - 1
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def open_api(environment: Mapping[str, str], api_url: str, rate: float, concurrency: int) -> JsonApi:
    """A client with the key of the environment.

    Args:
        environment: holds EUROPEANA_API_KEY.
        api_url: address of the service, without the path of a method.
        rate: requests per second, at most.
        concurrency: requests at a time, at most.

    Raises:
        UsageError: there is no key, or the rate is not above 0.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    if not key:
        raise UsageError(f"set {KEY_VARIABLE}: a key is free at https://pro.europeana.eu/page/get-api")
    if rate <= 0 or concurrency < 1:
        raise UsageError("--rate must be above 0, --concurrency at least 1")
    return JsonApi(api_url, secret=("wskey", key), rate_per_s=rate, concurrency=concurrency)


def search(api: JsonApi, params: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """One request to the Search API.

    Raises:
        ApiError: it refused, or answered something else than results.
    """
    reply = api.get("/record/v2/search.json", params)
    if not isinstance(reply, dict) or reply.get("success") is False:
        said = first_text(reply.get("error")) if isinstance(reply, dict) else None
        raise ApiError(f"Europeana's search refused: {said or 'no reason given'}")
    if not isinstance(reply.get("items", []), list):
        raise ApiError("Europeana's search answered without a list of items")
    return reply


def record_row(item: Any, query: str | None) -> Row:
    """One item of a search -> a row of `records`.

    Fields that are missing or of another type than documented become null; of several values the first counts.

    Raises:
        BadItem: `no_id`.
    """
    said, raw = without_key(item) if isinstance(item, dict) else ({}, "")
    source_id = first_text(said.get("id"))
    if not source_id:
        raise BadItem("no_id", f"an item without an id: {json.dumps(item)[:200]}")
    rights = first_text(said.get("rights"))
    licence, reusability = licence_of(rights)
    return {
        "provider": PROVIDER,
        "source_id": source_id,
        "dataset": first_text(said.get("edmDatasetName")),
        "institution": first_text(said.get("dataProvider")),
        "aggregator": first_text(said.get("provider")),
        "title": _described(said, "title", "dcTitleLangAware"),
        "creator": _described(said, "dcCreator", "dcCreatorLangAware"),
        "description": _described(said, "dcDescription", "dcDescriptionLangAware"),
        "rights": rights,
        "licence": licence,
        "reusability": reusability,
        "country": first_text(said.get("country")),
        "language": first_text(said.get("language")) or first_text(said.get("dcLanguage")),
        "tags": _concepts(said),
        "media_url": first_text(said.get("edmIsShownBy")),
        "page_url": first_text(said.get("guid")) or PAGE_URL + source_id,
        "thumbnail_url": first_text(said.get("edmPreview")),
        "query": query,
        "raw": raw,
    }


def without_key(item: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The item without the link to the API and the campaign of the address, which hold the key; and as JSON."""
    said = {name: value for name, value in item.items() if name != "link"}
    guid = first_text(said.get("guid"))
    if guid:
        said["guid"] = guid.partition("?")[0]
    raw = compact(said)
    return (said, raw) if is_utf8(raw) else without_key(json.loads(raw.encode("utf-8", "replace")))


def first_text(value: Any) -> str | None:
    """The first text in a value that may be a text, a list, an object by language, or anything else."""
    if type(value) is list and value and type(value[0]) is str and value[0]:  # as documented
        return str(value[0])
    return next(texts(value), None)


def texts(value: Any) -> Iterator[str]:
    """All texts and numbers in a value, without the empty ones."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def in_one_language(value: Any) -> list[str]:
    """The texts of an object by language: English, else those without a language, else the first that has any."""
    if isinstance(value, dict):
        for language in ("en", "def", *value):
            found = list(texts(value.get(language)))
            if found:
                return found
    return list(texts(value))


def first_words(values: Iterable[Any]) -> str | None:
    """The first text that is not an address; an address where there is nothing else."""
    found = [text for value in values for text in texts(value)]
    return next((text for text in found if not is_address(text)), found[0] if found else None)


def is_address(text: str) -> bool:
    """Whether a text is a web address: the name of an entity, not words."""
    return text.startswith(("http://", "https://"))


def natural(value: Any, most: int = _BIGINT) -> int | None:
    """A number from 0 to `most`, given as a number or as a text; else None."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,19}(\.0*)?", text):
        return None
    number = int(text.partition(".")[0])
    return number if number <= most else None


def compact(value: Any) -> str:
    """JSON on one line, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_utf8(text: str) -> bool:
    """Whether a text can be stored: JSON can hold half a character, UTF-8 cannot."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _described(item: dict[str, Any], plain: str, by_language: str) -> str | None:
    found = first_text(item.get(plain))
    if found is None or is_address(found):
        return first_words([item.get(plain), item.get(by_language)])
    return found


def _concepts(item: dict[str, Any]) -> list[str] | None:
    """The concepts of a record, by name where a name is given."""
    found = (
        in_one_language(item.get("edmConceptPrefLabelLangAware"))
        or list(texts(item.get("edmConceptLabel")))
        or list(texts(item.get("edmConcept")))
    )
    return list(dict.fromkeys(found)) or None


def is_refused(error: ApiError) -> bool:
    """Whether the service refused this one request, and not everything that comes with this key."""
    reply = error.__dict__.get("reply") or {}
    said = f"{reply.get('code')} {reply.get('error')}".lower()
    return error.__dict__.get("status") in (400, 404, 410) and "key" not in said


def ahead(function: Callable[[_In], _Out], values: Iterable[_In], concurrency: int) -> Iterator[_Out]:
    """`map` in threads: results in the order of the values, a few more asked for than are taken."""
    waiting: deque[Future[_Out]] = deque()
    pool = ThreadPoolExecutor(concurrency, "europeana")
    try:
        for value in values:
            waiting.append(pool.submit(function, value))
            if len(waiting) > 2 * concurrency:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
