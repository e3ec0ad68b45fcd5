"""Photos as Flickr's: from a seed, in the shapes that lists, getInfo and getSizes have."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

GROUPS = {  # public twice, private, for members only
    "1000001@N00": "Leopards",
    "1000002@N01": "Beaches & more",
    "1000003@N02": "Private",
    "1000004@N03": "Members",
}
TAGS = ("leopard", "forest", "beach", "mountain", "kitchen", "indoor", "oslo", "sjusjøen", "東京", "sunset", "cat")
TITLES = ("DSC04707", "Sjusjoeen", "L'été à la plage", 'Tom & "Jerry" <3', "Sonne\nund Wind", "", "海岸 🌊", "2;5,7")
OWNERS = tuple(f"{192376927 + k}@N{k % 10:02d}" for k in range(25))
BEGIN = int(datetime(2008, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
FIRST_ID = 52_000_000_000
DUMMY_SERVER = "1234"
# letter of the file name and longest edge by the name in extras
SIZES = {
    "sq": ("s", 75),
    "q": ("q", 150),
    "t": ("t", 100),
    "s": ("m", 240),
    "n": ("n", 320),
    "w": ("w", 400),
    "m": ("", 500),
    "z": ("z", 640),
    "c": ("c", 800),
    "l": ("b", 1024),
    "h": ("h", 1600),
    "k": ("k", 2048),
    "3k": ("3k", 3072),
    "o": ("o", 0),
}
LABELS = {
    "sq": "Square",
    "q": "Large Square",
    "t": "Thumbnail",
    "s": "Small",
    "n": "Small 320",
    "w": "Small 400",
    "m": "Medium",
    "z": "Medium 640",
    "c": "Medium 800",
    "l": "Large",
    "h": "Large 1600",
    "k": "Large 2048",
    "3k": "X-Large 3K",
    "o": "Original",
}
SECRET_SIZES = frozenset({"h", "k", "3k", "o"})  # have secrets of their own
LICENCES = (
    (0, "All Rights Reserved", ""),
    (4, "Attribution License", "https://creativecommons.org/licenses/by/2.0/"),
    (6, "Attribution-NoDerivs License", "https://creativecommons.org/licenses/by-nd/2.0/"),
    (3, "Attribution-NonCommercial-NoDerivs License", "https://creativecommons.org/licenses/by-nc-nd/2.0/"),
    (2, "Attribution-NonCommercial License", "https://creativecommons.org/licenses/by-nc/2.0/"),
    (1, "Attribution-NonCommercial-ShareAlike License", "https://creativecommons.org/licenses/by-nc-sa/2.0/"),
    (5, "Attribution-ShareAlike License", "https://creativecommons.org/licenses/by-sa/2.0/"),
    (7, "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    (8, "United States Government Work", "http://www.usa.gov/copyright.shtml"),
    (9, "Public Domain Dedication (CC0)", "https://creativecommons.org/publicdomain/zero/1.0/"),
    (10, "Public Domain Mark", "https://creativecommons.org/publicdomain/mark/1.0/"),
)


class Photos:
    """The photos 0 to count - 1, in the order of upload.

    Args:
        seed: other seeds give other photos.
        count: number of photos.
        static_url: where the files are.
        dummy_servers: share with the server "1234", whose files do not exist.
        videos: share of videos.
        exif_denied: share whose owners hide EXIF.
    """

    def __init__(
        self,
        seed: int,
        count: int,
        static_url: str,
        *,
        dummy_servers: float = 0.0,
        videos: float = 0.03,
        exif_denied: float = 0.2,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.count, self.static_url = count, static_url
        # half of all in a tenth of the time, many in the same second: date windows must be split unevenly
        at = np.concatenate([rng.uniform(0, 1, count - count // 2), rng.uniform(0.6, 0.7, count // 2)])
        self.uploaded = np.sort((BEGIN + at * (END - BEGIN)).astype(np.int64) // 5 * 5)
        self.taken = self.uploaded - rng.integers(0, 10**7, count)
        self.tags = rng.random((count, len(TAGS))) < 0.25
        self.owner = rng.integers(0, len(OWNERS), count)
        self.licence = rng.integers(0, len(LICENCES), count)
        self.is_video = rng.random(count) < videos
        self.is_denied = rng.random(count) < exif_denied
        self.has_geo = rng.random(count) < 0.3
        self.latitude, self.longitude = rng.uniform(-60, 70, count), rng.uniform(-180, 180, count)
        self.in_group = rng.random((count, 2)) < 0.5
        self._is_dummy = rng.random(count) < dummy_servers

    def photo_id(self, n: int) -> str:
        """The id of photo n."""
        return str(FIRST_ID + 7 * n)

    def number(self, photo_id: str) -> int | None:
        """The photo with the id; None where there is none."""
        if not photo_id.isdecimal():
            return None
        n, rest = divmod(int(photo_id) - FIRST_ID, 7)
        return n if 0 <= n < self.count and not rest else None

    def secret(self, n: int, size: str = "") -> str:
        """The secret of the photo; those of the original and of large files differ."""
        salt = 1 + (list(SIZES).index(size) if size in SECRET_SIZES else 0)
        return f"{(n + 1) * salt * 0x9E3779B97F4A7C15 & (1 << 40) - 1:010x}"

    def server(self, n: int) -> str:
        """The number of the server as text."""
        return DUMMY_SERVER if self._is_dummy[n] else ("65535", "7921", "4065")[n % 3]

    def title(self, n: int) -> str:
        """May be empty."""
        return TITLES[n % len(TITLES)]

    def tag_text(self, n: int) -> str:
        """The tags with a space between."""
        return " ".join(tag for tag, has in zip(TAGS, self.tags[n], strict=True) if has)

    def url(self, n: int, size: str) -> str:
        """The file in a size of `SIZES`."""
        suffix = f"_{SIZES[size][0]}" if SIZES[size][0] else ""
        return f"{self.static_url}/{self.server(n)}/{self.photo_id(n)}_{self.secret(n, size)}{suffix}.jpg"

    def dimensions(self, n: int, size: str) -> tuple[int, int]:
        """Width and height of the file."""
        width, height = (5712, 4284) if n % 2 else (3024, 4032)
        if size in {"sq", "q"}:
            return (SIZES[size][1],) * 2
        scale = SIZES[size][1] / max(width, height) if SIZES[size][1] else 1
        return round(width * scale), round(height * scale)

    def row(self, n: int, extras: Sequence[str]) -> dict[str, Any]:
        """The photo in a list."""
        row: dict[str, Any] = {
            "id": self.photo_id(n),
            "owner": OWNERS[self.owner[n]],
            "secret": self.secret(n),
            "server": self.server(n),
            "farm": 66,
            "title": self.title(n),
            "ispublic": 1,
            "isfriend": 0,
            "isfamily": 0,
        }
        for name in extras:
            row |= self._size(n, name[4:]) if name.startswith("url_") else self._extra(n, name)
        return row

    def _extra(self, n: int, name: str) -> dict[str, Any]:
        uploaded, taken = int(self.uploaded[n]), _mysql(int(self.taken[n]))
        width, height = self.dimensions(n, "o")
        known: dict[str, dict[str, Any]] = {
            "license": {"license": str(LICENCES[self.licence[n]][0])},
            "date_upload": {"dateupload": str(uploaded)},
            "date_taken": {"datetaken": taken, "datetakengranularity": 0, "datetakenunknown": "0"},
            "last_update": {"lastupdate": str(uploaded + 7857)},
            "owner_name": {"ownername": f"O'Neil {self.owner[n]}"},
            "path_alias": {"pathalias": None},
            "icon_server": {"iconserver": "7921", "iconfarm": 8},
            "o_dims": {"o_width": str(width), "o_height": str(height)} if n % 4 else {},
            "original_format": {"originalsecret": self.secret(n, "o"), "originalformat": "jpg"} if n % 4 else {},
            "tags": {"tags": self.tag_text(n)},
            "machine_tags": {"machine_tags": ""},
            "views": {"views": str(n % 1000)},
            "media": {"media": "video" if self.is_video[n] else "photo", "media_status": "ready"},
            "description": {"description": {"_content": f"About <b>{self.title(n)}</b>\n{n}"}},
            "geo": self._geo(n),
        }
        return known.get(name, {})

    def _size(self, n: int, size: str) -> dict[str, Any]:
        if size not in SIZES or (size == "o" and n % 4 == 0):  # most originals are not for everybody
            return {}
        width, height = self.dimensions(n, size)
        return {f"url_{size}": self.url(n, size), f"height_{size}": height, f"width_{size}": width}

    def _geo(self, n: int) -> dict[str, Any]:
        if not self.has_geo[n]:
            return {"latitude": 0, "longitude": 0, "accuracy": 0, "context": 0}
        place = {"latitude": f"{self.latitude[n]:.6f}", "longitude": f"{self.longitude[n]:.6f}", "accuracy": "16"}
        return {**place, "context": 0, "place_id": "", "woeid": "", "geo_is_public": 1}

    def info(self, n: int) -> dict[str, Any]:
        """The photo in getInfo."""
        uploaded, owner = int(self.uploaded[n]), OWNERS[self.owner[n]]
        private = {"isfriend": 0, "isfamily": 0}
        editable = {"cancomment": 1, "canaddmeta": 1}
        tags = [
            {"id": f"{k}", "author": owner, "authorname": "x", "raw": tag.title(), "_content": tag}
            for k, tag in enumerate(self.tag_text(n).split())
        ]
        page = f"https://www.flickr.com/photos/{owner}/{self.photo_id(n)}/"
        return {
            "id": self.photo_id(n),
            "secret": self.secret(n),
            "server": self.server(n),
            "farm": 66,
            "dateuploaded": str(uploaded),
            "isfavorite": 0,
            "license": str(LICENCES[self.licence[n]][0]),
            "safety_level": "0",
            "rotation": 0,
            **self._extra(n, "original_format"),
            "owner": self._owner(n),
            "title": {"_content": self.title(n)},
            **self._extra(n, "description"),
            "visibility": {"ispublic": 1, **private},
            "dates": {
                "posted": str(uploaded),
                "taken": _mysql(int(self.taken[n])),
                "takengranularity": 0,
                "takenunknown": "0",
                "lastupdate": str(uploaded + 7857),
            },
            "views": str(n % 1000),
            "editability": editable,
            "publiceditability": editable,
            "usage": {"candownload": 1, "canblog": 1, "canprint": 0, "canshare": 1},
            "comments": {"_content": "0"},
            "notes": {"note": []},
            "people": {"haspeople": 0},
            "tags": {"tag": [{**tag, "machine_tag": False} for tag in tags]},
            **self._location(n),
            "urls": {"url": [{"type": "photopage", "_content": page}]},
            "media": "video" if self.is_video[n] else "photo",
        }

    def _owner(self, n: int) -> dict[str, Any]:
        name = f"O'Neil {self.owner[n]}"
        about = {"nsid": OWNERS[self.owner[n]], "username": name, "realname": "", "location": "Karlsruhe"}
        gift = {"gift_eligible": True, "eligible_durations": ["year", "month"], "new_flow": True}
        return {**about, "iconserver": "7921", "iconfarm": 8, "path_alias": f"oneil{self.owner[n]}", "gift": gift}

    def _location(self, n: int) -> dict[str, Any]:
        if not self.has_geo[n]:
            return {}
        place = {name: self._geo(n)[name] for name in ("latitude", "longitude", "accuracy")}
        names = {name: {"_content": ""} for name in ("locality", "county", "region", "country", "neighbourhood")}
        allowed = {"ispublic": 1, "iscontact": 0, "isfriend": 0, "isfamily": 0}
        return {"location": {**place, "context": "0", **names}, "geoperms": allowed}

    def sizes(self, n: int) -> dict[str, Any]:
        """The photo in getSizes."""
        page = f"https://www.flickr.com/photos/{OWNERS[self.owner[n]]}/{self.photo_id(n)}/sizes"
        found = []
        for size, label in LABELS.items():
            if size == "o" and n % 4 == 0:
                continue
            width, height = self.dimensions(n, size)
            about = {"label": label, "width": width, "height": height, "source": self.url(n, size)}
            found.append({**about, "url": f"{page}/{size}/", "media": "photo"})
        return {"canblog": 1, "canprint": 1, "candownload": 1, "size": found}


def _mysql(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
