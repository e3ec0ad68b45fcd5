"""A collection as Europeana's: datasets and records from a seed, in the shape of the Search API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np

TYPES = ("IMAGE", "TEXT", "VIDEO", "SOUND", "3D")
THEMES = ("art", "fashion", "manuscript", "map", "nature", "newspaper", "photography", "ww1")
CC = "http://creativecommons.org"
RIGHTS = {
    f"{CC}/publicdomain/mark/1.0/": "open",
    f"{CC}/publicdomain/zero/1.0/": "open",
    "https://creativecommons.org/publicdomain/zero/1.0/": "open",
    f"{CC}/licenses/by/4.0/": "open",
    f"{CC}/licenses/by-sa/3.0/nl/": "open",
    "https://creativecommons.org/licenses/by-sa/4.0/": "open",
    f"{CC}/licenses/by-nc/4.0/": "restricted",
    f"{CC}/licenses/by-nc-sa/2.5/": "restricted",
    "https://creativecommons.org/licenses/by-nc-nd/4.0/": "restricted",
    f"{CC}/licenses/by-nd/3.0/": "restricted",
    "http://rightsstatements.org/vocab/InC-EDU/1.0/": "restricted",
    "http://rightsstatements.org/vocab/NoC-NC/1.0/": "restricted",
    "https://rightsstatements.org/vocab/NoC-OKLR/1.0/": "restricted",
    "http://rightsstatements.org/vocab/InC/1.0/": "permission",
    "https://rightsstatements.org/vocab/InC/1.0/?language=en": "permission",
    "http://rightsstatements.org/vocab/InC-OW-EU/1.0/": "permission",
    "http://rightsstatements.org/vocab/CNE/1.0/": "permission",
    "http://www.europeana.eu/rights/rr-f/": "permission",
}
COUNTRIES = (("Netherlands", "nl"), ("France", "fr"), ("Germany", "de"), ("Greece", "el"), ("Bulgaria", "bg"))
TITLES = (
    ("en", "Glass negative of a harbour"),
    ("fr", "L'église d'Auvers-sur-Oise, vue de l'\"Est\""),
    ("de", "Straßenszene\nmit Bäumen"),
    ("el", "Ἀκρόπολις τῶν Ἀθηνῶν"),
    ("bg", "Портрет на жена; Пловдив, 1911"),
    ("nl", "Gezicht op 's-Gravenhage, \ttoegeschreven"),
    ("ja", "富嶽三十六景 神奈川沖浪裏 🌊"),
    ("def", "IMG_0001.tif"),
)
CREATORS = ("Vincent van Gogh", "O'Brien, Seán", "http://data.europeana.eu/agent/60492", "Неизвестен автор", "葛飾北斎")
CONCEPTS = (("2090", "Papier", "Paper"), ("2538", "Druckgrafik", "Printmaking"), ("48", "Fotografie", "Photograph"))
# fields by the profile from which on they are shown; all others from standard on
MINIMAL = frozenset(
    {
        *("id", "link", "guid", "type", "score", "rights", "title", "year", "provider", "dataProvider", "edmPreview"),
        *("edmIsShownBy", "edmIsShownAt", "dcTitleLangAware", "dcDescription", "dcDescriptionLangAware", "dcCreator"),
        *("dcCreatorLangAware", "edmPlaceLatitude", "edmPlaceLongitude", "europeanaCompleteness"),
    }
)
RICH = frozenset({"edmLandingPage", "dcTypeLangAware"})
BORN_MS = int(datetime(2014, 10, 28, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Field:
    """One property of all records: `labels[codes[n]]` is record n's."""

    codes: np.ndarray
    labels: Sequence[str]


@dataclass(frozen=True)
class Dataset:
    """What the records of a dataset share."""

    code: str
    name: str
    provider: str
    institution: str
    country: str
    language: str
    theme: str


class Collection:
    """The records 0 to count - 1.

    Args:
        seed: other seeds give other records.
        count: number of records.
        datasets: number of datasets; the first are the largest.
        images: patterns for edmIsShownBy, taken in turn, with {n} for the record's number.
        missing_fields: each field but the id is missing with this probability, beyond those that often are.
    """

    def __init__(
        self, seed: int, count: int, datasets: int, images: Sequence[str], missing_fields: float = 0.0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.count, self.images, self.missing_fields = count, images, missing_fields
        self.datasets = [_dataset(k) for k in range(datasets)]
        self.dataset = np.minimum(rng.geometric(min(1, 3 / datasets), count) - 1, datasets - 1)
        self.dataset[:datasets] = np.arange(min(datasets, count))  # none is empty
        self.types = rng.choice(len(TYPES), count, p=[0.8, 0.12, 0.04, 0.03, 0.01])
        self._rights = rng.integers(0, len(RIGHTS), count)
        self._title = rng.integers(0, len(TITLES), count)
        self._year = rng.integers(1850, 1951, count)
        self._draws = rng.random((count, 6), dtype=np.float32)
        self.updated_ms = BORN_MS + rng.integers(0, 10**11, count)

    @cached_property
    def ids(self) -> list[str]:
        """The ids by number."""
        return [f"/{self.datasets[d].code}/{_local(n)}" for n, d in enumerate(self.dataset.tolist())]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The numbers by id."""
        return {name: n for n, name in enumerate(self.ids)}

    @cached_property
    def fields(self) -> dict[str, Field]:
        """What can be searched and counted."""
        d = self.dataset
        reuse = np.array([("open", "restricted", "permission").index(kind) for kind in RIGHTS.values()])
        names = Field(d, [dataset.name for dataset in self.datasets])
        return {
            "edm_datasetName": names,
            "europeana_collectionName": names,
            "PROVIDER": Field(d, [dataset.provider for dataset in self.datasets]),
            "DATA_PROVIDER": Field(d, [dataset.institution for dataset in self.datasets]),
            "COUNTRY": Field(d, [dataset.country for dataset in self.datasets]),
            "LANGUAGE": Field(d, [dataset.language for dataset in self.datasets]),
            "theme": Field(d, [dataset.theme for dataset in self.datasets]),
            "TYPE": Field(self.types, TYPES),
            "RIGHTS": Field(self._rights, tuple(RIGHTS)),
            "REUSABILITY": Field(reuse[self._rights], ("open", "restricted", "permission")),
            "YEAR": Field(self._year - 1850, tuple(map(str, range(1850, 1951)))),
            "title": Field(self._title, [title for _, title in TITLES]),
            "has_media": Field(self._draws[:, 0].__ge__(0.12).astype(int), ("false", "true")),
            "has_thumbnails": Field(self._draws[:, 0].__ge__(0.05).astype(int), ("false", "true")),
        }

    def image_url(self, n: int) -> str | None:
        """Where the picture of record n is."""
        if self._draws[n, 0] < 0.12:
            return None
        return self.images[n % len(self.images)].format(n=n)

    def item(self, n: int, profile: str, key: str) -> dict[str, Any]:
        """Record n as the Search API shows it."""
        item = {**self._about(n, key), **self._texts(n), **self._context(n)}
        if profile == "minimal":
            item = {name: value for name, value in item.items() if name in MINIMAL}
        elif profile not in {"rich", "portal"}:
            item = {name: value for name, value in item.items() if name not in RICH}
        if self.missing_fields:
            kept = np.random.default_rng(n).random(len(item)) >= self.missing_fields
            item = {name: item[name] for name, keep in zip(item, kept, strict=True) if keep or name == "id"}
        return item

    def _about(self, n: int, key: str) -> dict[str, Any]:
        dataset, name = self.datasets[self.dataset[n]], self.ids[n]
        image, draw = self.image_url(n), self._draws[n]
        updated = int(self.updated_ms[n])
        item: dict[str, Any] = {
            "completeness": int(draw[1] * 10),
            "country": [dataset.country],
            "dataProvider": [dataset.institution],
            "edmDatasetName": [dataset.name],
            "edmIsShownAt": [f"https://www.{dataset.code}.example.org/object?id={n}&lang={dataset.language}"],
            "edmLandingPage": [f"http://www.europeana.eu/item{name}"],
            "europeanaCompleteness": int(draw[1] * 10),
            # the real service repeats the key in both
            "guid": f"https://www.europeana.eu/item{name}?utm_source=api&utm_medium=api&utm_campaign={key}",
            "id": name,
            "index": 0,
            "language": [dataset.language],
            "link": f"https://api.europeana.eu/record{name}.json?wskey={key}",
            "previewNoDistribute": False,
            "provider": [dataset.provider],
            "rights": [tuple(RIGHTS)[self._rights[n]]],
            "score": 1.0,
            "timestamp": updated,
            "timestamp_created": _iso(BORN_MS + n),
            "timestamp_created_epoch": BORN_MS + n,
            "timestamp_update": _iso(updated),
            "timestamp_update_epoch": updated,
            "type": TYPES[self.types[n]],
            "ugc": [False],
        }
        if image:
            item["edmIsShownBy"] = [image]
        if draw[0] >= 0.05:
            shown = quote(image or item["edmIsShownAt"][0], safe="")
            item["edmPreview"] = [f"https://api.europeana.eu/thumbnail/v2/url.json?uri={shown}&type={item['type']}"]
        return item

    def _texts(self, n: int) -> dict[str, Any]:
        draw = self._draws[n]
        language, title = TITLES[self._title[n]]
        title = f"{title} ({n})"
        item: dict[str, Any] = {}
        if draw[2] >= 0.03:
            item["title"], item["dcTitleLangAware"] = [title], {language: [title]}
            if draw[2] > 0.9:
                item["title"].append(f"Second title of {n}")
                item["dcTitleLangAware"]["en"] = [f"Second title of {n}"]
        if draw[3] >= 0.3:
            text = f"{title}.\r\nMit Maßen: 10 \N{MULTIPLICATION SIGN} 15 cm"
            item["dcDescription"], item["dcDescriptionLangAware"] = [text], {language: [text]}
        if draw[4] >= 0.4:
            creator = CREATORS[n % len(CREATORS)]
            item["dcCreator"], item["dcCreatorLangAware"] = [creator], {"def": [creator]}
        return item

    def _context(self, n: int) -> dict[str, Any]:
        draw = self._draws[n]
        item: dict[str, Any] = {}
        if draw[5] >= 0.5:
            number, german, english = CONCEPTS[n % len(CONCEPTS)]
            item["edmConcept"] = [f"http://data.europeana.eu/concept/{number}"]
            item["edmConceptLabel"] = [{"def": german}, {"def": english}]
            item["edmConceptPrefLabelLangAware"] = {"de": [german], "en": [english]}
            item["dcTypeLangAware"] = {"def": item["edmConcept"]}
        if draw[5] < 0.3:
            item["year"] = [str(self._year[n])]
            item["edmTimespanLabel"] = [{"def": str(self._year[n])}]
            item["edmTimespanLabelLangAware"] = {"def": [str(self._year[n])]}
        if 0.4 < draw[5] < 0.6:
            item["edmPlaceLatitude"], item["edmPlaceLongitude"] = ["52.5"], ["13.25"]
            item["dcLanguage"], item["dcLanguageLangAware"] = ["mul"], {"def": ["mul"]}
        return item


def _dataset(k: int) -> Dataset:
    # 920, 9200, 92000 ... begin alike: `edm_datasetName:920_*` must not find them all
    code = f"92{'0' * (k % 4 + 1)}{k // 4 or ''}"
    country, language = COUNTRIES[k % len(COUNTRIES)]
    return Dataset(
        code=code,
        name=f"{code}_Ag_EU_{country}_{k}",
        provider=f"Aggregator {k % 7} \N{EN DASH} {country}",
        institution=f"Musée d'Art n° {k}" if k % 2 else f"National Library, Dept. {k}",
        country=country,
        language=language,
        theme=THEMES[k % len(THEMES)],
    )


def _local(n: int) -> str:
    return (f"BibliographicResource_{1000126000000 + n}", f"https___hdl_handle_net_10934_{n}", f"ark__12148_btv1b{n}")[
        n % 3
    ]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
