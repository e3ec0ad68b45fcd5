"""Records in the shape of the Record API."""

from typing import Any

from tests.servers.europeana_records import BORN_MS, TYPES, Collection


def record_object(collection: Collection, n: int) -> dict[str, Any]:
    """Record n as the Record API shows it: the value of `object`."""
    item, name = collection.item(n, "rich", ""), collection.ids[n]
    is_new = n % 3 == 0  # newer records name institutions by address
    k = int(collection.dataset[n])
    institutions = [f"http://data.europeana.eu/organization/{1000 + 2 * k + i}" for i in (0, 1)]
    labels = [collection.datasets[k].institution, collection.datasets[k].provider]
    institution, aggregator = institutions if is_new else labels
    rights = item.get("rights", [])
    aggregation = {
        "about": f"/aggregation/provider{name}",
        "aggregatedCHO": f"/item{name}",
        "edmDataProvider": {"def": [institution]},
        "edmProvider": {"def": [aggregator]},
        "edmIsShownAt": item.get("edmIsShownAt", [None])[0],
        "edmRights": {"def": rights},
        "edmUgc": "false",
        "webResources": _web_resources(collection, n, rights),
    }
    image = collection.image_url(n)
    if image:
        aggregation |= {"edmIsShownBy": image, "edmObject": image}
        if n % 5 == 0:
            aggregation["hasView"] = [f"{image}?view=2", f"{image}?view=3"]
    organizations = [
        {"about": url, "prefLabel": {"en": [label]}} for url, label in zip(institutions, labels, strict=True)
    ]
    return {
        "about": name,
        "type": TYPES[collection.types[n]],
        "aggregations": [aggregation],
        "europeanaAggregation": _europeana_aggregation(collection, n, item),
        "proxies": _proxies(collection, n, item),
        "providedCHOs": [{"about": f"/item{name}"}],
        "agents": [],
        "places": [],
        "timespans": [],
        "concepts": [],
        **({"organizations": organizations} if is_new else {}),
        **{
            field: item[field]
            for field in ("edmDatasetName", "europeanaCompleteness", "timestamp_created", "timestamp_update")
            if field in item
        },
        "timestamp_created_epoch": BORN_MS + n,
        "timestamp_update_epoch": int(collection.updated_ms[n]),
    }


def _web_resources(collection: Collection, n: int, rights: list[str]) -> list[dict[str, Any]]:
    image = collection.image_url(n)
    if not image:
        return []
    urls = [image, f"{image}?view=2", f"{image}?view=3"] if n % 5 == 0 else [image]
    found: list[dict[str, Any]] = []
    for i, url in enumerate(urls):
        resource: dict[str, Any] = {"about": url, "textAttributionSnippet": f"Picture {n} by nobody"}
        if i < 2:  # of some the service knows nothing
            resource |= {
                "ebucoreHasMimeType": "image/jpeg",
                "ebucoreFileByteSize": 100_000 + n,
                "ebucoreWidth": 1600 + n % 100,
                "ebucoreHeight": 1200,
                "webResourceEdmRights": {"def": rights},
            }
        found.append(resource)
    return found


def _europeana_aggregation(collection: Collection, n: int, item: dict[str, Any]) -> dict[str, Any]:
    dataset = collection.datasets[collection.dataset[n]]
    return {
        "about": f"/aggregation/europeana{collection.ids[n]}",
        "edmCountry": {"def": [dataset.country]},
        "edmLanguage": {"def": [dataset.language]},
        "edmLandingPage": f"https://www.europeana.eu/item{collection.ids[n]}",
        "edmPreview": item.get("edmPreview", [None])[0],
        "edmRights": {"def": ["http://creativecommons.org/licenses/by-sa/4.0/"]},
    }


def _proxies(collection: Collection, n: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    names = {
        "dcTitle": "dcTitleLangAware",
        "dcCreator": "dcCreatorLangAware",
        "dcDescription": "dcDescriptionLangAware",
    }
    texts = {name: item[field] for name, field in names.items() if field in item}
    common = {"proxyFor": f"/item{collection.ids[n]}", "edmType": TYPES[collection.types[n]]}
    return [
        {"about": f"/proxy/europeana{collection.ids[n]}", "europeanaProxy": True, **common},
        {"about": f"/proxy/provider{collection.ids[n]}", "europeanaProxy": False, **common, **texts},
    ]
