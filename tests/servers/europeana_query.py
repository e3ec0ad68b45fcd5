"""The part of Solr's query language that harvests use, over a `Collection`: which records, in which order."""

import re
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.servers.europeana_records import BORN_MS, Collection

Array = NDArray[Any]
_TOKEN = re.compile(r'[()]|-?(?:[\w.]+:)?(?:"(?:\\.|[^"\\])*"|\[[^]]*\])|[^\s()]+')


class BadQueryError(ValueError):
    """A query that Solr does not understand."""


class Search:
    """Finds records; results are kept."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.find = lru_cache(maxsize=256)(self._find)

    def _find(self, queries: tuple[str, ...], filters: tuple[tuple[str, str], ...], sort: str) -> Array:
        """The numbers of the records that meet all queries and have all of the values, sorted.

        Raises:
            BadQueryError: a query has no meaning.
        """
        mask = np.ones(self._collection.count, bool)
        for query in queries:
            mask &= _Parser(self._collection, query).mask()
        for name, value in filters:
            mask &= self._has(name, value)
        found = np.flatnonzero(mask)
        return found[self._order(sort, found)]

    def _has(self, name: str, value: str) -> Array:
        field = self._collection.fields[name]
        return np.isin(field.codes, np.flatnonzero(np.isin(field.labels, re.split(r"[\s,]+", value))))

    def _order(self, sort: str, found: Array) -> Array:
        keys = [self._sort_key(part.strip(), found) for part in sort.split(",") if part.strip()]
        return np.lexsort([found, *reversed(keys)])

    def _sort_key(self, part: str, found: Array) -> Array:
        name, _, direction = part.replace("+", " ").partition(" ")
        if name.startswith("random"):
            seed = int.from_bytes(name.encode(), "big")
            return np.random.default_rng(seed).permutation(self._collection.count)[found]
        keys = {
            "score": np.zeros(len(found)),
            "timestamp_created": found,
            "timestamp_update": self._collection.updated_ms[found],
            "timestamp_created_epoch": found,
            "timestamp_update_epoch": self._collection.updated_ms[found],
        }
        if name == "europeana_id":
            key = np.unique([self._collection.ids[n] for n in found], return_inverse=True)[1]
        elif name in keys:
            key = keys[name]
        else:
            raise BadQueryError(f"sort field {name}")
        return -key if direction == "desc" else key


class _Parser:
    """Recursive descent; AND binds tighter than OR and is understood between terms."""

    def __init__(self, collection: Collection, query: str) -> None:
        self._collection = collection
        self._tokens = _TOKEN.findall(query)
        self._count = collection.count

    def mask(self) -> Array:
        found = self._either()
        if self._tokens:
            raise BadQueryError(self._tokens[0])
        return found

    def _either(self) -> Array:
        found = self._all()
        while self._tokens and self._tokens[0] == "OR":
            self._tokens.pop(0)
            found = found | self._all()
        return found

    def _all(self) -> Array:
        found = self._one()
        while self._tokens and self._tokens[0] not in {"OR", ")"}:
            if self._tokens[0] == "AND":
                self._tokens.pop(0)
            found = found & self._one()
        return found

    def _one(self) -> Array:
        if not self._tokens:
            raise BadQueryError("the end")
        token = self._tokens.pop(0)
        if token == "NOT":
            return ~self._one()
        if token == "(":
            found = self._either()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise BadQueryError("a bracket that is not closed")
            return found
        if token in {")", "AND", "OR"}:
            raise BadQueryError(token)
        return ~self._term(token[1:]) if token.startswith("-") else self._term(token)

    def _term(self, token: str) -> Array:
        if token in {"*", "*:*"}:
            return np.ones(self._count, bool)
        name, colon, value = token.partition(":")
        if not colon or token.startswith('"'):
            return self._words(token.strip('"'))
        if value.startswith("["):
            return self._range(name, value)
        if name == "europeana_id":
            return self._by_id(value.strip('"'))
        if not value or (value.startswith("*") and value != "*"):
            raise BadQueryError(token)
        field = self._collection.fields.get(name)
        if field is None:
            return np.zeros(self._count, bool)
        if value.startswith('"'):
            wanted = [label == value[1:-1].replace('\\"', '"') for label in field.labels]
        else:
            wanted = [fnmatchcase(label, value.replace("\\", "")) for label in field.labels]
        return np.isin(field.codes, np.flatnonzero(wanted))

    def _words(self, text: str) -> Array:
        field = self._collection.fields["title"]
        pattern = text.lower() if "*" in text else f"*{text.lower()}*"
        wanted = [fnmatchcase(label.lower(), pattern) for label in field.labels]
        return np.isin(field.codes, np.flatnonzero(wanted))

    def _by_id(self, name: str) -> Array:
        found = np.zeros(self._count, bool)
        if name in self._collection.numbers:
            found[self._collection.numbers[name]] = True
        return found

    def _range(self, name: str, value: str) -> Array:
        parts = value.strip("[]").split(" TO ")
        if len(parts) != 2:
            raise BadQueryError(value)
        if name == "YEAR":
            values = self._collection.fields["YEAR"].codes + 1850
        elif name.startswith("timestamp_update"):
            values = self._collection.updated_ms
        else:
            values = BORN_MS + np.arange(self._count)
        low, high = (_bound(part.strip(), default) for part, default in zip(parts, (0, 1 << 62), strict=True))
        return (low <= values) & (values <= high)


def _bound(text: str, default: int) -> int:
    if text == "*":
        return default
    if "-" in text:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    try:
        return int(text)
    except ValueError as error:
        raise BadQueryError(text) from error
