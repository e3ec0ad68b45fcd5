"""The Flickr server's replies have the names and types of real ones, its errors those of the documentation."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers.ask import get
from tests.servers.flickr import KEY, FlickrServer
from tests.servers.flickr_replies import COMMON, ERRORS

SEARCH = "flickr.photos.search"


def call(server: FlickrServer, method: str, **parameters: Any) -> Any:
    """One call in JSON."""
    given = {"method": method, "api_key": KEY, "format": "json", "nojsoncallback": 1, **parameters}
    return json.loads(get(server, "/services/rest/?" + urlencode(given))[2])


def shape(value: Any) -> Any:
    """Names and types; of a list the shape of its entries together."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [merge([shape(part) for part in value])] if value else []
    return type(value).__name__


def merge(shapes: list[Any]) -> Any:
    """What several shapes have between them."""
    if all(isinstance(found, dict) for found in shapes):
        return {name: merge([f[name] for f in shapes if name in f]) for name in {n for f in shapes for n in f}}
    return shapes[0]


def contained(real: Any, ours: Any, path: str = "") -> list[str]:
    """What the real shape has and ours has not, or of another type."""
    if isinstance(real, dict) and isinstance(ours, dict):
        return [d for name in real for d in contained(real[name], ours.get(name, "nothing"), f"{path}.{name}")]
    if isinstance(real, list) and isinstance(ours, list):
        return contained(real[0], ours[0], path) if real and ours else []
    return [] if real == ours else [f"{path}: {real}, ours {ours}"]


@pytest.mark.parametrize(
    ("file", "method", "parameters"),
    [
        ("reply_photo_0", SEARCH, {"text": "cat"}),
        ("reply_photo_1", SEARCH, {"text": "cat", "extras": "description,date_taken"}),
        ("reply_photo_4", SEARCH, {"text": "cat", "extras": "tags"}),
        ("reply_photo_6", SEARCH, {"text": "cat", "extras": "o_dims"}),
        ("reply_photo_7", SEARCH, {"text": "cat", "extras": "url_sq,url_l,url_n"}),
        ("reply_photoexif_0", "flickr.photos.getExif", {}),
        ("reply_photoinfo_0", "flickr.photos.getInfo", {}),
        ("reply_size_0", "flickr.photos.getSizes", {}),
        ("reply_license_0", "flickr.photos.licenses.getInfo", {}),
    ],
)
def test_replies_have_the_shape_of_real_ones(corpus: Path, file: str, method: str, parameters: dict[str, str]) -> None:
    real = json.loads((corpus / "flickr" / f"{file}.json").read_text())
    with FlickrServer(photos=500, photo_options={"exif_denied": 0.0}) as server:
        n = next(n for n in range(500) if server.photos.has_geo[n] and server.photos.tags[n].any() and n % 28 == 1)
        ours = call(server, method, photo_id=server.photos.photo_id(n), **parameters)
    assert contained(shape(real), shape(ours)) == []


def test_errors_are_those_of_the_documentation(corpus: Path) -> None:
    for path in sorted((corpus / "flickr").glob("method_*.json")):
        method = path.stem.removeprefix("method_")
        for error in json.loads(path.read_text())["errors"]["error"]:
            code = int(error["code"])
            ours = ERRORS.get(method, {}).get(code) or COMMON[code]
            assert ours.startswith(error["message"]), (method, code)
