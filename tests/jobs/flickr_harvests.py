"""Helpers for tests of the Flickr jobs."""

import importlib
from collections import Counter
from typing import Any

from imagelake.lake.lake import Lake
from imagelake.lake.runs import RunReport
from imagelake.lake.session import Session
from tests.servers.flickr import FlickrServer
from tests.servers.flickr_search import find

KEY = "fedcba9876543210fedcba9876543210"


def harvest(lake: Lake, server: FlickrServer | None, source: str, what: str, **options: Any) -> RunReport:
    """Run a job as its command does."""
    job = importlib.import_module(f"imagelake.jobs.harvest_{source.replace('-', '_')}")
    if server is not None:
        options = {"rate": 1e4, "api_url": f"{server.url}/services/rest/", **options}
    name = next(iter(job.Config.__dataclass_fields__))
    config = job.Config(**{name: what}, lake=lake.root, quiet=True, **options)
    report: RunReport = job.run(config, lake)
    return report


def rows(lake: Lake, sql: str) -> list[Any]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def calls(server: FlickrServer) -> Counter[str]:
    return Counter(request.get("method").rpartition(".")[2] for request in server.log)


def ids(server: FlickrServer, **arguments: str) -> set[str]:
    found = find(server.photos, tuple(arguments.items()))
    return {server.photos.photo_id(n) for n in found.tolist()}
