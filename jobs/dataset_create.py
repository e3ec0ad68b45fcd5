"""Make a named, versioned data set with splits that do not leak.

Reads: what the statement names; `images`, the labels of --task, the tables of --group-by.
Writes: `dataset_images` (one row per image: labels, split or fold, group), then `datasets` (one row per version).
Usage: imagelake dataset create NAME --lake LAKE --sql "select image_id from images" --task animal --split 0.7/0.1/0.2
"""

import sys
from dataclasses import dataclass

from imagelake.command import lake_option, option, run_job
from imagelake.datasets.choice import choose, labelled
from imagelake.datasets.create import classes_of, divided, groups_of, places_told, planned, sampled
from imagelake.datasets.keys import default_keys, duplicates_told, pairs_of
from imagelake.datasets.options import DEFAULT_SPLIT, asked
from imagelake.datasets.versions import is_same, newest, pinned, publish, tables_read
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.runs import RunReport, new_run_id, start_run


@dataclass(frozen=True)
class Config:
    """Options of `imagelake dataset create`."""

    name: str = option("name of the data set; one that exists gets its next version", positional=True)
    lake: str = lake_option()
    sql: str | None = option("statement that gives image_id, and if you like label or labels, split, columns", None)
    file: str | None = option("file with the statement, or one of sql/curation by its name, such as curation/x", None)
    param: tuple[str, ...] = option("value of $NAME in the statement; repeatable", (), metavar="NAME=VALUE")
    task: str | None = option("labelling task whose labels the images get", None)
    multi_label: bool = option("accept images with several labels", False)
    classes: tuple[str, ...] | None = option("the classes; labels outside of them are refused", None, commas=True)
    split: str | None = option(
        f"shares of train/val/test, or NAME=SHARE,... (default: {DEFAULT_SPLIT}, or what the statement gives)", None
    )
    folds: int | None = option("number of folds for a cross-validation, in the place of splits", None)
    group_by: tuple[str, ...] | None = option(
        "what is never separated: duplicate_group, duplicate_pair, owner, individual, burst, columns of the statement;"
        " '' for nothing (default: duplicate_group where there are some)",
        None,
        commas=True,
    )
    burst_seconds: float = option("most seconds between two pictures of one burst", 10.0)
    per_class: int | None = option("draw a balanced sample of at most so many images per class", None)
    seed: int = option("seed of the draw and of the split", 0)
    force: bool = option("make a new version even where the last one is the same", False)


def run(config: Config, lake: Lake) -> RunReport:
    """Choose, label, draw, group, divide; then write, unless the last version is the same."""
    row = asked(config)
    report = RunReport(new_run_id(), "dataset create")
    tables = lake.ensure_tables(("datasets", "dataset_images"))
    with pinned(lake) as (session, versions):
        bound(session)
        chosen = choose(session, row["statement"], row["parameters"], config.group_by or ())
        rows, told = labelled(session, chosen, config.task, multi=config.multi_label)
        classes = classes_of(rows, config.classes)
        plan = planned(rows, config.split, config.folds, config.seed)
        rows, told["sample"] = sampled(rows, classes, config.per_class, config.seed)
        group_by = default_keys(session) if config.group_by is None else config.group_by
        left, right, told["group by"] = pairs_of(session, rows, group_by, config.burst_seconds)
        roots, told["groups"] = groups_of(rows.num_rows, left, right)
        told["duplicates"] = duplicates_told(session, group_by)
        images = divided(rows, roots, classes, plan)
        shares, told["images"] = places_told(images, plan)
        row |= {"classes": classes, "group_by": list(group_by), "splits": shares, "images": images.num_rows}
        before = newest(session, config.name)
        same = before if before and not config.force and is_same(session, before, row, images) else None
        row["table_versions"] = tables_read(session, versions)
    with start_run(lake, report, config, tables, main_table="dataset_images") as run:
        told["data set"] = publish(lake, run, tables["dataset_images"], row, images) if same is None else same.repeated
        run.count(read=images.num_rows, **{"written" if same is None else "already_present": images.num_rows})
    report.details.update({key: text for key, text in told.items() if text is not None})
    return report


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake dataset create"))
