"""Write an HTML report of a lake, and its tables as CSV.

Reads: all tables, through the statements of `sql/reports`. Writes: DIR/index.html, which needs nothing but itself,
and DIR/tables/*.csv; nothing in the lake.
Usage: imagelake report --lake LAKE --out DIR
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from imagelake import __version__
from imagelake.command import lake_option, option, run_job
from imagelake.curate.figures import OVERVIEW, SECTIONS, Figure, figure, human_bytes, tiles
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.results import open_output, write_result
from imagelake.lake.session import Session

REPORTS = False


@dataclass(frozen=True)
class Config:
    """Options of `imagelake report`."""

    lake: str = lake_option()
    out: str = option("folder to write to; index.html and tables/ in it are replaced", "", metavar="DIR")


def run(config: Config, lake: Lake) -> None:
    """Compute every figure, write its table, then the page."""
    if not config.out:
        raise UsageError("name the folder to write to: --out DIR")
    folder = Path(config.out)
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {config.out}: {error.strerror or error}") from error
    with Session(lake) as session:
        figures = {name: figure(session, name) for names in SECTIONS.values() for name in names}
        overview = figure(session, OVERVIEW)
        page = _page(lake, session, overview, figures)
    for each in (overview, *figures.values()):
        with open_output(str(folder / "tables" / f"{each.name}.csv"), "csv") as out:
            write_result(each.table.to_reader(), "csv", out)
    index = folder / "index.html"
    with open_output(str(index), "table") as out:
        out.write(page.encode(errors="replace"))
    print(index)  # noqa: T201 (the command's output)


def _page(lake: Lake, session: Session, overview: Figure, figures: dict[str, Figure]) -> str:
    import jinja2  # noqa: PLC0415 (slow to import, and --help does not need it)

    text = resources.files("imagelake.jobs").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    facts = overview.table.to_pylist()[0]
    return environment.from_string(text).render(
        name=lake.root.rstrip("/").rpartition("/")[2] or lake.root,
        root=lake.root,
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        facts=facts,
        size=human_bytes(facts["bytes"]),
        sections={
            heading: [figures[name] for name in names if figures[name].rows] for heading, names in SECTIONS.items()
        },
        tiles=tiles(session),
    )


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake report"))
