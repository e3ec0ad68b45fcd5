"""The script that opens a lake in a user's own DuckDB program (`imagelake sql --init`).

Out: SQL text with the location of the lake, never with a secret: for S3, DuckDB asks the usual AWS chain itself.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from imagelake.lake.lake import Lake
from imagelake.lake.session import newest, sql_files
from imagelake.lake.storage import is_remote
from imagelake.lake.tables import table_names


def startup_script(lake: Lake) -> str:
    """SQL that makes every table and view of the lake, for `duckdb -init FILE` or `.read FILE`.

    Tables are views of `delta_scan`, so they show the newest commit at every query; `raw.T` has all versions of the
    extractors, `T` the newest.
    """
    remote = is_remote(lake.root)
    lines = [
        "-- Opens an imagelake in DuckDB 1.5 or newer: duckdb -init FILE, or .read FILE",
        *(["install httpfs;", "load httpfs;", "install aws;", "load aws;", _secret(lake.root)] if remote else []),
        "install delta;",
        "load delta;",
        "set timezone = 'UTC';",
        "create schema if not exists raw;",
    ]
    for name in table_names():
        place = lake.storage.uri(f"tables/{name}").replace("'", "''")
        lines.append(f"create or replace view raw.{name} as select * from delta_scan('{place}');")
        lines.append(f"create or replace view {name} as {newest(name)};")
    views = sql_files("views")
    lines += [f"create or replace view {name} as\n{views[name].strip()};" for name in in_order(views)]
    return "\n".join(lines) + "\n"


def _secret(root: str) -> str:
    """Credentials as a chain: environment, profiles, instance role; the endpoint is an address, not a secret."""
    settings = ["type s3", "provider credential_chain", f"scope '{root.replace(chr(39), chr(39) * 2)}'"]
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        settings.append(f"region '{region}'")
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        parts = urlsplit(endpoint)
        host = parts.netloc.rpartition("@")[2]
        settings += [f"endpoint '{host}'", "url_style 'path'", f"use_ssl {str(parts.scheme != 'http').lower()}"]
    return f"create or replace secret imagelake ({', '.join(settings)});"


def in_order(views: Mapping[str, str]) -> list[str]:
    """The views, each after those that it names."""
    ordered: list[str] = []

    def place(name: str) -> None:
        words = set(re.findall(r"\w+", views[name]))
        for other in sorted((words & set(views)) - {name} - set(ordered)):
            place(other)
        if name not in ordered:
            ordered.append(name)

    for name in sorted(views):
        place(name)
    return ordered
