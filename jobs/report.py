"""Write an HTML report of a lake, and its tables as CSV.

Reads: all tables, through the statements of `sql/reports`. Writes: DIR/index.html, which needs nothing but itself,
DIR/tables/*.csv, and galleries of pictures, DIR/galleries/*.html with DIR/thumbnails; nothing in the lake.
Usage: imagelake report --lake LAKE --out DIR [--gallery-groups 0]
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from imagelake import __version__
from imagelake.command import lake_option, option, run_job
from imagelake.curate.report.figures import OVERVIEW, SECTIONS, Figure, figure, human_bytes, tiles
from imagelake.curate.report.gallery import write_galleries
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.results import open_output, write_result
from imagelake.lake.session import Session

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake report`."""

    lake: str = lake_option()
    out: str = option("folder to write to; what an earlier report wrote there is replaced", "", metavar="DIR")
    gallery_groups: int = option("groups per gallery at most; 0 for no galleries", 10_000, metavar="N")


def run(config: Config, lake: Lake) -> None:
    """Compute every figure, write its table, then the galleries and the page that leads to them."""
    if not config.out:
        raise UsageError("name the folder to write to: --out DIR")
    if config.gallery_groups < 0:
        raise UsageError(f"--gallery-groups {config.gallery_groups}: give 0 or more")
    folder = Path(config.out)
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {config.out}: {error.strerror or error}") from error
    with Session(lake) as session:
        figures = {name: figure(session, name) for names in SECTIONS.values() for name in names}
        overview = figure(session, OVERVIEW)
        shown = tiles(session)
        galleries = write_galleries(session, folder, config.gallery_groups, _template("gallery.html.j2", lake))
    for each in (overview, *figures.values()):
        with open_output(str(folder / "tables" / f"{each.name}.csv"), "csv") as out:
            write_result(each.table.to_reader(), "csv", out)
    index = folder / "index.html"
    with open_output(str(index), "table") as out:
        page = _template("report.html.j2", lake)(galleries=galleries, tiles=shown, **_facts(overview, figures))
        out.write(page.encode(errors="replace"))
    print(index)  # noqa: T201 (the command's output)


def _facts(overview: Figure, figures: dict[str, Figure]) -> dict[str, object]:
    facts = overview.table.to_pylist()[0]
    sections = {heading: [figures[name] for name in names if figures[name].rows] for heading, names in SECTIONS.items()}
    return {"facts": facts, "size": human_bytes(facts["bytes"]), "sections": sections}


def _template(name: str, lake: Lake) -> Callable[..., str]:
    """A page of `jobs/*.html.j2`, given what all pages show."""
    import jinja2  # noqa: PLC0415 (slow to import, and --help does not need it)

    files = resources.files("imagelake.jobs")
    loader = jinja2.FunctionLoader(lambda file: files.joinpath(file).read_text(encoding="utf-8"))
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.globals |= {
        "name": lake.root.rstrip("/").rpartition("/")[2] or lake.root,
        "root": lake.root,
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
    }
    return environment.get_template(name).render


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake report"))
