"""Compare lakes: the same rows, whatever the run, the time, the engine and the shard."""

from imagelake.lake.lake import Lake
from imagelake.lake.session import Session

# What names a run, a moment or a shard differs between lakes that hold the same pictures.
VOLATILE = {"run_id", "computed_at", "ingested_at", "seen_at", "failed_at", "expanded_at", "labelled_at"}
PLACES = {"uri", "offset_bytes"}
TABLES = (
    "images",
    "sightings",
    "archives",
    "hashes",
    "exif",
    "thumbnails",
    "quality",
    "embeddings",
    "labels",
    "failures",
)


def contents(lake: Lake, tables: tuple[str, ...] = TABLES, leave_out: frozenset[str] = frozenset()) -> dict[str, list]:
    """Every row of every table, sorted, without what may differ."""
    found = {}
    with Session(lake) as session:
        for table in tables:
            rows = session.arrow(f"from raw.{table}").to_pylist() if _defined(session, table) else []
            kept = [{k: v for k, v in row.items() if k not in VOLATILE | PLACES | leave_out} for row in rows]
            found[table] = sorted(repr(sorted(row.items(), key=lambda item: item[0])) for row in kept)
    return found


def _defined(session: Session, table: str) -> bool:
    session.prepare(f"from {table}")
    return True


def bytes_of(lake: Lake) -> dict[str, bytes]:
    """The bytes of every image, read through its place."""
    with Session(lake) as session:
        rows = session.execute("select image_id, uri, offset_bytes, length_bytes from images").fetchall()
    found = {}
    for image_id, uri, offset, length in rows:
        with lake.storage.open(uri) as file:
            file.seek(offset)
            found[image_id] = file.read(length)
    return found


def versions(lake: Lake) -> dict[str, int]:
    """Delta versions of the tables of data (not of `runs`)."""
    return {table: lake.delta(table).version() for table in TABLES}
