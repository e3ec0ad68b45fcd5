"""What is to be asked of Europeana: options, lists of queries and curated tables of data sets in, `Query` out."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagelake.errors import SourceError, UsageError
from imagelake.lake.storage import first_line

DATASET_COLUMNS = ("dataset_name", "dataset", "edm_datasetName", "name")


@dataclass(frozen=True)
class Query:
    """One query and what its records are for.

    Args:
        params: parameters without key, page size and place.
        quota: number of records that it is to bring; None for all.
        label: label for its records.
        negative: its records count, and get the label, where no other query of the balance has labelled them.
    """

    params: tuple[tuple[str, str], ...]
    quota: int | None = None
    label: str | None = None
    negative: bool = False

    @property
    def text(self) -> str:
        """The parameters as JSON: what tells one harvest from another."""
        found: dict[str, str | list[str]] = dict(self.params)
        found["qf"] = [value for name, value in self.params if name == "qf"]
        return json.dumps(found, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Filters:
    """What holds for every query of a harvest.

    Args:
        qf: further filters, in Solr's language.
        media: only records with a picture that can be fetched.
        images: only pictures: no texts, sounds, films, models.
        reusability: open, restricted or permission.
        theme: a thematic collection.
        sort: fields in order; None for `random` in samples and `europeana_id` else.
        seed: what the order `random` depends on.
        profile: how much is told of each record.
    """

    qf: tuple[str, ...] = ()
    media: bool = True
    images: bool = True
    reusability: str | None = None
    theme: str | None = None
    sort: str | None = None
    seed: int = 0
    profile: str = "standard"

    def query(self, text: str = "*", qf: str | None = None, quota: int | None = None) -> Query:
        """A query with these filters; one with a quota is a sample."""
        filters = ([qf] if qf else []) + (["TYPE:IMAGE"] if self.images else []) + list(self.qf)
        chosen = {"media": "true" if self.media else None, "reusability": self.reusability, "theme": self.theme}
        order = stable_order(self.sort or ("europeana_id" if quota is None else "random"), self.seed)
        params = {"query": text, "sort": order, "profile": self.profile, **chosen}
        given = [(name, value) for name, value in params.items() if value is not None]
        return Query((*given, *(("qf", value) for value in filters)), quota)


def stable_order(sort: str, seed: int) -> str:
    """An order that is the same for every request: `random` with a seed, ties broken by id."""
    fields = [field.strip().replace("+", " ") for field in sort.split(",") if field.strip()]
    fields = [re.sub(r"^random(?= |$)", f"random_{seed}", field) for field in fields]
    if not any(field.split()[0] == "europeana_id" for field in fields):
        fields.append("europeana_id")
    return ",".join(fields)


def quoted(name: str) -> str:
    """A name as a phrase of Solr's query language."""
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def distinct(queries: Sequence[Query]) -> list[Query]:
    """Each query once; a query cannot be on its way through its pages twice.

    Raises:
        UsageError: one query was to bring records of two labels.
    """
    found: dict[str, Query] = {}
    for query in queries:
        first = found.setdefault(query.text, query)
        if first.label != query.label:
            filters = [value for name, value in query.params if name in ("query", "qf")]
            raise UsageError(f"{' '.join(filters)}: asked for with the labels {first.label} and {query.label}")
    return list(found.values())


def filters_of_file(path: str) -> list[str]:
    """The filters that a file lists: `{"query_list": [...]}` or `[...]`, in JSON.

    Raises:
        SourceError: it cannot be read or holds something else.
    """
    try:
        found: Any = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: not a list of queries: {first_line(error)}") from error
    listed = found.get("query_list") if isinstance(found, dict) else found
    if not isinstance(listed, list) or not all(isinstance(text, str) and text.strip() for text in listed):
        raise SourceError(f'{path}: not a list of queries: wanted {{"query_list": ["edm_datasetName:334_*", ...]}}')
    return [text.strip() for text in listed]


@dataclass(frozen=True)
class Curated:
    """How a table of curated data sets is read.

    Args:
        path: the table, CSV with a header.
        classes: `VALUE=LABEL:N`: of data sets with VALUE, N records with LABEL. Other values are skipped.
        class_column: the column of the values.
        dataset_column: the column of the names of data sets; None to find it.
    """

    path: str
    classes: Sequence[str]
    class_column: str
    dataset_column: str | None = None

    def queries(self, filters: Filters) -> tuple[list[Query], dict[str, int]]:
        """One query for each data set, and the number of data sets with each value.

        Raises:
            SourceError: the table cannot be read or has no such columns.
            UsageError: a class is not written as it should.
        """
        wanted = dict(_class(text) for text in self.classes)
        found: list[Query] = []
        counts: dict[str, int] = {}
        for name, value in self._rows():
            counts[value] = counts.get(value, 0) + 1
            if value in wanted:
                label, number = wanted[value]
                found.append(replace(filters.query(qf=prefix_of(name), quota=number), label=label))
        return found, counts

    def _rows(self) -> list[tuple[str, str]]:
        try:
            with Path(self.path).open(encoding="utf-8-sig", newline="") as file:
                table = csv.DictReader(file)
                header = table.fieldnames or ()
                names = [self.dataset_column] if self.dataset_column else DATASET_COLUMNS
                name = next((column for column in names if column in header), None)
                if name is None or self.class_column not in header:
                    wanted = f"{' or '.join(names)}, and {self.class_column}"
                    raise SourceError(f"{self.path}: wanted are columns {wanted}; it has {', '.join(header) or 'none'}")
                rows = [((row[name] or "").strip(), (row[self.class_column] or "").strip()) for row in table]
        except (OSError, UnicodeError, csv.Error) as error:
            raise SourceError(f"{self.path}: cannot be read: {first_line(error)}") from error
        return [(dataset, value) for dataset, value in rows if dataset]


def prefix_of(dataset: str) -> str:
    """The filter for all data sets that share the number of this one: names change, numbers stay."""
    number = re.sub(r"([^\w])", r"\\\1", dataset.partition("_")[0])
    return f"edm_datasetName:{number}_*"


def _class(text: str) -> tuple[str, tuple[str, int]]:
    found = re.fullmatch(r"([^=]+)=([^:]+):([0-9]+)", text.strip())
    if not found or not int(found[3]):
        raise UsageError(f"--classes {text}: wanted is VALUE=LABEL:N, such as Full=watermark:400")
    return found[1].strip(), (found[2].strip(), int(found[3]))
