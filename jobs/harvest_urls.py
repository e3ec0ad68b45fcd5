"""Bring in lists of addresses: CSV, TSV, text, JSON, JSON lines, Parquet.

Reads: the lists; `records` and `failures` tell what is known already.
Writes: `records` (provider `urls`; every column of the list in `raw`), `record_labels` with --label-col, `failures`
(lines without a usable address, as LIST:LINE).
Usage: imagelake harvest urls --lake LAKE list.csv s3://bucket/list.parquet
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.errors import UsageError
from imagelake.lake.labels import label_images
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.sources.harvesting import Source, harvest, new_report
from imagelake.sources.url_lists import PROVIDER, Columns, ListPages, look_into


@dataclass(frozen=True)
class Config:
    """Options of `imagelake harvest urls`."""

    source: tuple[str, ...] = option(
        "list (csv, tsv, txt, json, jsonl, ndjson, parquet; all but parquet may end in .gz); path or s3:// URI",
        positional=True,
    )
    lake: str = lake_option()
    url_col: str | None = option("column of the addresses (default: url, image_url, ..., or the only likely one)", None)
    id_col: str | None = option("column of the ids, unique over all lists (default: the address is the id)", None)
    caption_col: str | None = option("column of the captions, which become titles", None)
    sha256_col: str | None = option("column of the SHA-256 of the pictures, in hexadecimal (default: sha256)", None)
    licence_col: str | None = option("column of the licences: addresses or short names", None)
    rights_col: str | None = option("column of the rights statements", None)
    label_col: str | None = option("column of the labels for --task", None)
    task: str = option("labelling task of --label-col", "", metavar="TASK")
    retry_failed: bool = option("report again the lines that earlier runs rejected", False)
    quiet: bool = option("show no progress", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Look into every list, then read them."""
    if bool(config.label_col) != bool(config.task):
        raise UsageError("--label-col and --task go together: which column, and labels for what")
    wanted = Columns(
        url=config.url_col,
        id=config.id_col,
        caption=config.caption_col,
        sha256=config.sha256_col,
        licence=config.licence_col,
        rights=config.rights_col,
        label=config.label_col,
        task=config.task,
    )
    lists = [look_into(source, wanted) for source in dict.fromkeys(config.source)]
    source = Source(PROVIDER, lambda known: ListPages(lists, known).pages(), after=(label_images,))
    return harvest(config, lake, new_report("harvest urls"), source)


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake harvest urls"))
