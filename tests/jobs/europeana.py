"""Runs `harvest europeana` against the test server, and looks at what came."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagelake.fetch.api import JsonApi
from imagelake.jobs import harvest_europeana as job
from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from imagelake.lake.tables import table_names
from imagelake.sources.europeana import service
from tests.servers.europeana import EuropeanaServer

KEY = "k3y0fTheTest"


def ask(lake: Lake, server: EuropeanaServer, *query: str, **options: Any) -> RunReport:
    """Run the job with short waits; everything counts that the server has unless told otherwise."""
    settings: dict[str, Any] = {"media": False, "images_only": False, "rate": 1000.0, "quiet": True, **options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EUROPEANA_API_KEY", KEY)
        patch.setattr(service, "JsonApi", partial(JsonApi, base_wait_s=0.01, deadline_s=5.0))
        return job.run(job.Config(query=query, lake=lake.root, api_url=server.url, **settings), lake)


def ids(lake: Lake, where: str = "true") -> list[str]:
    with Session(lake) as session:
        return [row[0] for row in session.execute(f"select source_id from records where {where}").fetchall()]


def labels(lake: Lake) -> dict[str, set[str]]:
    with Session(lake) as session:
        rows = session.execute("select label, source_id from record_labels where task = 'watermark'").fetchall()
    return {label: {name for other, name in rows if other == label} for label, _ in rows}


def everything(lake: Lake) -> str:
    """Every value of every table, and every file as it is."""
    with Session(lake) as session:
        values = "".join(str(session.arrow(f"from raw.{table}").to_pylist()) for table in table_names())
    files = (file.read_bytes() for file in Path(lake.root).rglob("*") if file.is_file())
    return values + "".join(data.decode("latin-1") for data in files)
