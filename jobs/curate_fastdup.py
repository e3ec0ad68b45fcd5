"""Find duplicates with fastdup, where it is installed.

Reads: `embeddings` of one model, or with --images `thumbnails`; `images`. Writes: rows of `pairs` and `groups` with
relation fastdup, anew; every member of a group is one that fastdup calls alike with the keeper itself.
fastdup runs as another program in an environment of its own (`make fastdup`), without telemetry. The default of
imagelake is `imagelake dedupe`, which needs none of it.
Usage: imagelake curate fastdup --lake LAKE [--model MODEL | --images] [--python .fastdup/bin/python]
"""

import sys
from dataclasses import dataclass

import pyarrow as pa

from imagelake.command import lake_option, option, run_job
from imagelake.curate.duplicates.groups import group_members
from imagelake.curate.duplicates.pictures import load_pictures
from imagelake.curate.duplicates.rows import group_rows, pair_rows
from imagelake.curate.fastdup.run import PYTHON, Found, Scratch, fastdup_layer, run_fastdup, scratch
from imagelake.curate.vectors import load_vectors, the_model
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.runs import Run, RunReport, new_run_id, start_run
from imagelake.lake.session import Session

_SCOPE = {"relation": "fastdup"}


@dataclass(frozen=True)
class Config:
    """Options of `imagelake curate fastdup`."""

    lake: str = lake_option()
    model: str | None = option("model_id in the lake, or how it begins (default: the only one)", None)
    images: bool = option("compare thumbnails by fastdup's own model instead of stored vectors", False)
    min_similarity: float = option("least cosine of a pair", 0.96)
    k: int = option("neighbours to look at of each picture", 10, short="-k")
    python: str = option("interpreter of the environment that has fastdup", PYTHON, metavar="PATH")


def run(config: Config, lake: Lake) -> RunReport:
    """Hand the vectors or thumbnails over, run fastdup, verify its groups, write."""
    if config.k < 1 or not 0 < config.min_similarity <= 1:
        raise UsageError("-k is at least 1, --min-similarity above 0 and at most 1")
    if config.images and config.model is not None:
        raise UsageError("give --model or --images, not both")
    report = RunReport(new_run_id(), "curate fastdup")
    tables = lake.ensure_tables(("pairs", "groups"))
    with Session(lake) as session, scratch() as given:
        bound(session)
        model_id = _put(session, given, config)
        with start_run(lake, report, config, tables, main_table="groups") as run:
            found = run_fastdup(given, config.python, config.k, config.min_similarity)
            _write(lake, session, run, found, (model_id or f"fastdup:{found.version}", config.min_similarity))
            run.count(read=len(given.names), written=len(given.names))
    return report


def _put(session: Session, given: Scratch, config: Config) -> str | None:
    """What is compared, and the model of the vectors."""
    if config.images:
        given.put_thumbnails(session)
        return None
    model_id = the_model(session, config.model)
    ids, vectors = load_vectors(session, model_id)
    if not len(ids):
        raise UsageError(f"all vectors of {model_id} are zeros: nothing to compare")
    given.put_vectors(ids.to_pylist(), vectors)
    return model_id


def _write(lake: Lake, session: Session, run: Run, found: Found, compared: tuple[str, float]) -> None:
    run_id, details = run.report.run_id, run.report.details
    pictures = load_pictures(session, ("resolution",))
    layer = fastdup_layer(found, pictures.image_ids, *compared)
    members = group_members([layer], len(pictures.image_ids))
    details |= found.told
    details["pairs"] = replace_rows(lake, run_id, "pairs", _SCOPE, pair_rows(layer, pictures.image_ids, run_id))
    rows = (_named(part) for part in group_rows([layer], members, pictures.image_ids, run_id))
    replace_rows(lake, run_id, "groups", _SCOPE, rows)
    details["groups"] = f"{members.groups:,} with {len(members.member):,} pictures that a better one stands for"


def _named(rows: pa.Table) -> pa.Table:
    place = rows.schema.get_field_index("relation")
    return rows.set_column(place, "relation", pa.repeat(pa.scalar("fastdup"), rows.num_rows))


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake curate fastdup"))
