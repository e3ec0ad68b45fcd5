"""A record as Europeana's Record API tells it: its object in, its files and a row of `records` out.

Source: Europeana Record API documentation, https://europeana.atlassian.net/wiki/spaces/EF/pages/2385674279
"""

from collections.abc import Iterator, Mapping
from typing import Any

from imagelake.errors import BadItem
from imagelake.sources.europeana.service import (
    PAGE_URL,
    PROVIDER,
    first_text,
    first_words,
    in_one_language,
    natural,
    texts,
)
from imagelake.sources.harvesting import Row
from imagelake.sources.rights import licence_of

_MOST_PIXELS = 2**31 - 1


def resource_rows(reply: Mapping[str, Any], source_id: str) -> list[Row]:
    """The files of a record: the main picture, its other views in their order, then whatever else is described.

    Raises:
        BadItem: `no_web_resources`.
    """
    rows: dict[str, Row] = {}
    for aggregation in _objects(reply.get("aggregations")):
        described = {
            url: resource
            for resource in _objects(aggregation.get("webResources"))
            if (url := first_text(resource.get("about")))
        }
        shown = first_text(aggregation.get("edmIsShownBy"))
        views = [*texts(aggregation.get("hasView")), *texts(aggregation.get("edmObject"))]
        for url in [*([shown] if shown else []), *views, *described]:
            about = described.get(url, {})
            rights = first_text(about.get("webResourceEdmRights")) or first_text(aggregation.get("edmRights"))
            row = {"provider": PROVIDER, "source_id": source_id, "url": url, "position": len(rows)}
            row |= {"is_shown_by": url == shown, "rights": rights, "reusability": licence_of(rights).reusability}
            rows.setdefault(url, row | _measured(about))
    if not rows:
        raise BadItem("no_web_resources", "the record names no file")
    return list(rows.values())


def _measured(resource: Mapping[str, Any]) -> Row:
    return {
        "mime_type": first_text(resource.get("ebucoreHasMimeType")),
        "size_bytes": natural(resource.get("ebucoreFileByteSize")),
        "width_px": natural(resource.get("ebucoreWidth"), _MOST_PIXELS),
        "height_px": natural(resource.get("ebucoreHeight"), _MOST_PIXELS),
    }


def record_row(reply: Mapping[str, Any], raw: str, source_id: str) -> Row:
    """A row of `records` of a record; names of institutions and people stand for their addresses where given."""
    aggregation = _object(reply.get("aggregations"))
    europeanas = _object(reply.get("europeanaAggregation"))
    names = _names(reply)
    proxies = sorted(_objects(reply.get("proxies")), key=lambda proxy: proxy.get("europeanaProxy") is True)
    rights = first_text(aggregation.get("edmRights"))
    licence, reusability = licence_of(rights)
    concepts = [label[0] for c in _objects(reply.get("concepts")) if (label := in_one_language(c.get("prefLabel")))]

    def said(name: str) -> str | None:
        return first_words(names.get(text, text) for proxy in proxies for text in texts(proxy.get(name)))

    return {
        "provider": PROVIDER,
        "source_id": source_id,
        "dataset": first_text(reply.get("edmDatasetName")),
        "institution": _named(aggregation.get("edmDataProvider"), names),
        "aggregator": _named(aggregation.get("edmProvider"), names),
        "title": said("dcTitle"),
        "creator": said("dcCreator"),
        "description": said("dcDescription"),
        "rights": rights,
        "licence": licence,
        "reusability": reusability,
        "country": first_text(europeanas.get("edmCountry")),
        "language": first_text(europeanas.get("edmLanguage")),
        "tags": list(dict.fromkeys(concepts)) or None,
        "media_url": first_text(aggregation.get("edmIsShownBy")) or first_text(aggregation.get("edmObject")),
        "page_url": PAGE_URL + source_id,
        "thumbnail_url": first_text(europeanas.get("edmPreview")),
        "raw": raw,
    }


def _names(reply: Mapping[str, Any]) -> dict[str, str]:
    """Address -> name of every organization and agent that the record describes."""
    found = {}
    for entity in [*_objects(reply.get("organizations")), *_objects(reply.get("agents"))]:
        about, label = first_text(entity.get("about")), in_one_language(entity.get("prefLabel"))
        if about and label:
            found[about] = label[0]
    return found


def _named(value: Any, names: Mapping[str, str]) -> str | None:
    return first_words(names.get(text, text) for text in texts(value))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in a list, or the only one."""
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict):
            yield part


def _object(value: Any) -> dict[str, Any]:
    return next(_objects(value), {})
