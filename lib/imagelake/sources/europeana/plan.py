"""The plan of a harvest of Europeana: options in, the pages of all its queries out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from imagelake.errors import UsageError
from imagelake.fetch.api import JsonApi
from imagelake.lake.lake import Lake
from imagelake.sources.europeana.data_sets import facet_counts
from imagelake.sources.europeana.pages import Balance, Harvest
from imagelake.sources.europeana.queries import Curated, Filters, Query, distinct, filters_of_file
from imagelake.sources.europeana.service import MAX_ROWS
from imagelake.sources.harvesting import Known, Page


@dataclass(frozen=True)
class Plan:
    """What is to be harvested: the options of `imagelake harvest europeana`, under their names."""

    query: tuple[str, ...]
    queries: str | None
    datasets: str | None
    dataset_column: str | None
    class_column: str
    classes: tuple[str, ...]
    per_dataset: int | None
    limit: int | None
    task: str | None
    label: str | None
    balanced_negatives: str | None
    qf: tuple[str, ...]
    reusability: str | None
    media: bool
    images_only: bool
    theme: str | None
    sort: str | None
    seed: int
    profile: str
    facet: tuple[str, ...]
    rows: int
    concurrency: int
    restart: bool

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            UsageError: says which.
        """
        labels = self.label is not None or self.datasets is not None
        wrong = {
            "say what to harvest: --query QUERY, --queries FILE or --datasets FILE": not (
                self.query or self.queries or self.datasets
            ),
            "--label and --datasets need --task TASK": labels and not self.task,
            "--task needs --label LABEL or --datasets FILE": bool(self.task) and not labels,
            "--balanced-negatives needs --label LABEL, another one": bool(self.balanced_negatives)
            and self.label in (None, self.balanced_negatives),
            f"--rows must be 1 to {MAX_ROWS}": not 1 <= self.rows <= MAX_ROWS,
            "--per-dataset and --limit must be at least 1": min(self.per_dataset or 1, self.limit or 1) < 1
            or 0 in (self.per_dataset, self.limit),
        }
        for message, is_wrong in wrong.items():
            if is_wrong:
                raise UsageError(message)

    def queries_and_counts(self) -> tuple[list[Query], dict[str, int]]:
        """Every query, the one for negatives last; and the number of curated data sets of each class.

        Raises:
            SourceError: a file of queries or data sets cannot be read.
            UsageError: one query was to bring records of two labels.
        """
        found = [self._filters.query(text, quota=self.per_dataset) for text in self.query]
        if self.queries:
            entries = filters_of_file(self.queries)
            found += [self._filters.query(qf=entry, quota=self.per_dataset) for entry in entries]
        found = [replace(query, label=self.label) for query in found]
        counts: dict[str, int] = {}
        if self.datasets:
            table = Curated(self.datasets, self.classes, self.class_column, self.dataset_column)
            curated, counts = table.queries(self._filters)
            found += curated
        if self.balanced_negatives:
            # any quota: how many are missing is known when the others are through
            found.append(replace(self._filters.query(quota=0), label=self.balanced_negatives, negative=True))
        return distinct(found), counts

    def pages(self, queries: Sequence[Query], api: JsonApi, lake: Lake, known: Known) -> Iterator[Page]:
        """The pages of every query.

        Raises:
            ApiError: the service refused a query or does not answer.
        """
        limit = math.inf if self.limit is None else self.limit
        harvest = Harvest(api, known, self.task, self.rows, self.concurrency, limit, self.restart)
        positives = [query for query in queries if not query.negative]
        if self.balanced_negatives and self.task and self.label:
            harvest.balance = Balance(lake, self.task, self.label, self.balanced_negatives)
            share = limit if self.limit is None else math.ceil(limit / 2)
            harvest.left = share
            yield from harvest.pages(positives)
            harvest.left += 0 if self.limit is None else limit - share
            yield from harvest.pages([replace(queries[-1], quota=harvest.balance.missing)])
        else:
            yield from harvest.pages(positives)

    def count(self, queries: Sequence[Query], api: JsonApi) -> dict[str, object]:
        """What `--facet` asks for: number of records by value, for every query and field.

        Raises:
            ApiError: the service refused a query or does not answer.
        """
        asked = [(query, facet) for query in queries if not query.negative for facet in self.facet]
        return {
            facet if len(queries) == 1 else f"{facet} of {query.text}": dict(facet_counts(api, facet, query))
            for query, facet in asked
        }

    @property
    def _filters(self) -> Filters:
        return Filters(
            self.qf, self.media, self.images_only, self.reusability, self.theme, self.sort, self.seed, self.profile
        )  # fmt: skip
