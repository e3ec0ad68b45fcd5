r"""Bring in Europeana's records by search, with rights, institutions and places of pictures.

Reads: the Search API with the key in EUROPEANA_API_KEY; `records` and `harvest_pages` tell what is known already.
Writes: `records`, `record_labels` with --label or --datasets, `harvest_pages`, `failures`. A harvest that was stopped
goes on where it was when the same command runs again. No picture is fetched.
Usage: imagelake harvest europeana --lake LAKE --query 'edm_datasetName:334_*' --reusability open
       imagelake harvest europeana --lake LAKE --queries new_datasets.json --per-dataset 150 \
           --task watermark --label watermark --balanced-negatives no_watermark
       imagelake harvest europeana --lake LAKE --task watermark --datasets watermark_record.csv
"""

import os
import sys
from dataclasses import dataclass, fields

from imagelake.command import lake_option, option, run_job
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.europeana.plan import Plan
from imagelake.sources.europeana.service import API_URL, MAX_ROWS, PROVIDER, RATE_PER_S, open_api
from imagelake.sources.harvesting import Source, harvest, new_report


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest europeana`."""

    query: tuple[str, ...] = option("search for this, in Solr's language; may be repeated; * finds everything", ())
    lake: str = lake_option()
    queries: str | None = option('JSON file of filters, {"query_list": [...]}: a query for each', None, metavar="FILE")
    datasets: str | None = option("CSV of curated data sets: a sample and a label for each", None, metavar="FILE")
    dataset_column: str | None = option("its column of names (default: dataset_name, dataset or name)", None)
    class_column: str = option("its column of classes", "watermarks")
    classes: tuple[str, ...] = option(
        "VALUE=LABEL:N,...: N records with LABEL of each data set of class VALUE; other classes are skipped",
        ("Full=watermark:400", "None=no_watermark:100"),
        commas=True,
    )
    per_dataset: int | None = option("so many new records for each query, in random order", None, metavar="N")
    limit: int | None = option("so many records in this run, at most", None, metavar="N")
    task: str | None = option("labelling task of the labels", None)
    label: str | None = option("label for every record that the queries find", None)
    balanced_negatives: str | None = option(
        "add random records with this label until there are as many as with --label", None, metavar="LABEL"
    )
    qf: tuple[str, ...] = option("filter that holds for every query; may be repeated", ())
    reusability: str | None = option("only what may be used so", None, choices=("open", "restricted", "permission"))
    media: bool = option("also records without the address of a picture", True)
    images_only: bool = option("also texts, sounds, videos and 3D models", True)
    theme: str | None = option("only of a theme: art, fashion, map, nature, photography, ...", None)
    sort: str | None = option("order (default: europeana_id; with --per-dataset random)", None, metavar="FIELDS")
    seed: int = option("what the order `random` depends on", 0)
    profile: str = option("how much is told of a record", "standard", choices=("minimal", "standard", "rich", "portal"))
    facet: tuple[str, ...] = option("count the values of a field instead of harvesting; may be repeated", ())
    rows: int = option("records on a page, 1 to 100", MAX_ROWS)
    concurrency: int = option("queries under way at a time", 4)
    rate: float = option("requests per second, at most", RATE_PER_S)
    api_url: str = option("address of the service", API_URL, metavar="URL")
    restart: bool = option("begin every query at its first page, whatever was harvested of it", False)
    retry_failed: bool = option("try again what earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Ask page by page and write while they come."""
    plan = Plan(**{field.name: getattr(config, field.name) for field in fields(Plan)})
    plan.check()
    queries, classes = plan.queries_and_counts()
    report = new_report("harvest europeana")
    report.details["queries"] = len(queries)
    if classes:
        report.details["data sets by class"] = classes
    with open_api(os.environ, config.api_url, config.rate, config.concurrency) as api:
        if config.facet:
            report.details.update(plan.count(queries, api))
            pages = Source(PROVIDER, lambda _: ())
        else:
            pages = Source(PROVIDER, lambda known: plan.pages(queries, api, lake, known), after=(label_images,))
        return harvest(config, lake, report, pages)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest europeana"))
