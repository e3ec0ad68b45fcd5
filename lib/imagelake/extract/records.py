"""EXIF that a provider tells of its photos: `records.raw` in, rows of `exif` with the provider as source out.

A query over the tables, so that it also covers records and pictures that came earlier, in either order.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from imagelake.extract.exif import fields_from_text
from imagelake.lake.fragments import write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.runs import Run
from imagelake.lake.session import Session
from imagelake.lake.tables import table_def, to_table

VERSION = 1  # of this extractor; raise it when it learns to read more
ROWS = 2000  # records held at a time: their EXIF is about 10 kB each
# Sliders of Camera Raw have the names of camera settings (Sharpness, Contrast) and say nothing of the camera.
_EDITING = ("XMP-crs", "XMP-crd")

# Of two records of one provider with the same picture, the one whose source_id sorts first counts.
_PENDING = """
with pending as (
  select i.image_id, i.provider, min(i.source_id) as source_id
  from record_images as i
  join records as r on i.provider = r.provider and i.source_id = r.source_id
  where r.provider in ('flickr', 'mirflickr') and contains(r.raw, '"exif_status":"ok"')
  group by i.image_id, i.provider
)
select p.image_id, p.provider, r.raw
from pending as p
join records as r on p.provider = r.provider and p.source_id = r.source_id
where not exists (
  select 1 from exif as e
  where e.image_id = p.image_id and e.source = p.provider and e.version >= $version
)
"""


def exif_of_records(lake: Lake, run: Run) -> None:
    """Give every picture the EXIF that its record tells, unless it has it.

    Args:
        lake: the lake, with the run's rows committed.
        run: takes the rows.
    """
    definition = table_def("exif")
    with Session(lake) as session, duckdb.connect() as con:
        for batch in session.batches(_PENDING, {"version": VERSION}, ROWS):
            facts = {"version": VERSION, "run_id": run.report.run_id, "computed_at": datetime.now(UTC)}
            rows = [
                {**exif_of_raw(json.loads(row["raw"])), **facts, "image_id": row["image_id"], "source": row["provider"]}
                for row in batch.to_pylist()
            ]
            if rows:
                run.committer.add(
                    write_fragment(lake.storage, definition, to_table(definition, rows), run.report.run_id, con)
                )
    run.committer.flush()


def exif_of_raw(raw: Mapping[str, Any]) -> dict[str, object]:
    """The columns of `exif` that a record determines.

    Args:
        raw: `records.raw`, parsed. Its `exif` is a mapping from name to text (MIRFLICKR), or the list of
            flickr.photos.getExif, of which the raw texts count, never the `clean` ones, which contradict them. Of tags
            with the same name the last one counts, whatever its directory, but for the sliders of Camera Raw.

    Returns:
        Typed values or None; `tags`, every tag by its name with the directory first ("ExifIFD FNumber"); `exif_error`,
        which is None.
    """
    exif = raw.get("exif")
    if isinstance(exif, Mapping):
        named = plain = {str(name): value for name, value in exif.items()}
    else:
        listed = list(_flickr_tags(exif if isinstance(exif, list) else []))
        named = {f"{directory} {name}".strip(): value for directory, name, value in listed}
        plain = {name: value for directory, name, value in listed if directory not in _EDITING}
    tags = [(name, str(value).replace("\0", "")) for name, value in named.items()]
    return {**fields_from_text(plain), "tags": tags, "exif_error": None}


def _flickr_tags(exif: Iterable[Any]) -> Iterator[tuple[str, str, str | int | float]]:
    """Directory, name and raw value of each tag; values are numbers in old replies, texts in new ones."""
    for tag in exif:
        if not isinstance(tag, Mapping):
            continue
        raw = tag.get("raw")
        value = raw.get("_content") if isinstance(raw, Mapping) else raw
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(tag.get("tagspace", "")), str(tag.get("tag", "")), value
