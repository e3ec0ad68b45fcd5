"""Pictures for servers: drawn once per form from a seed, every number another file by a comment that costs nothing."""

import io
import re
import struct
import zlib
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from PIL import ExifTags, Image

FORMS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
CAMERAS = (("NIKON CORPORATION", "NIKON D750"), ("Canon", "Canon EOS 5D Mark III"), ("SONY", "ILCE-7M3"))
SOI = b"\xff\xd8"
DATE = re.compile(rb"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
EPOCH = datetime(2001, 1, 1)  # noqa: DTZ001 (cameras know no zone)


class Pictures:
    """Pictures by number.

    Args:
        seed: other seeds give other pictures.
        sizes: width and height in pixels; picture n has sizes[n % len(sizes)].
        variants: so many motifs are drawn per size; pictures beyond differ in a comment only.
        noise: standard deviation of noise, which sets the size of the file (10: about 0.35 bytes per pixel).
        files: these JPEGs instead of drawn ones.
    """

    def __init__(
        self,
        seed: int = 0,
        sizes: tuple[tuple[int, int], ...] = ((160, 120),),
        variants: int = 8,
        noise: float = 0.0,
        files: tuple[bytes, ...] = (),
    ) -> None:
        self.seed, self.sizes, self.variants, self.noise = seed, sizes, variants, noise
        self._files = files
        self._drawn: dict[tuple[str, tuple[int, int], int], bytes] = {}

    def get(self, n: int, form: str = "jpg", version: int = 0) -> bytes:
        """The file of picture n; another version has other bytes."""
        comment = f"picture {n} of seed {self.seed}, version {version}".encode()
        if form == "jpg":
            exif = b"" if self._files else self._exif.get(n % 10, b"")
            segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
            return b"".join((SOI, exif, segment, self._base(n, form)))
        if form == "png":
            chunk = b"tEXtComment\0" + comment
            text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            base = self._base(n, form)
            return base[:-12] + text + base[-12:]  # before IEND
        comment += b" " * (len(comment) % 2)
        body = self._base(n, form)[8:] + b"NOTE" + struct.pack("<I", len(comment)) + comment
        return b"RIFF" + struct.pack("<I", len(body)) + body

    def thumbnail(self, n: int, width: int) -> bytes:
        """A small JPEG of picture n."""
        key = ("thumb", (width, width), n % self.variants)
        if key not in self._drawn:
            file = io.BytesIO()
            with Image.open(io.BytesIO(self.get(n))) as picture:
                picture.thumbnail((width, width))
                picture.save(file, "JPEG")
            self._drawn[key] = file.getvalue()
        return self._drawn[key]

    def _base(self, n: int, form: str) -> bytes:
        if self._files:
            # another date of capture for each number, so that re-encoded pictures differ as well
            before, date, after = self._dated[n % len(self._files)]
            moment = EPOCH + timedelta(seconds=n)
            return b"".join((before, f"{moment:%Y:%m:%d %H:%M:%S}".encode() if date else b"", after))
        key = (form, self.sizes[n % len(self.sizes)], n % self.variants)
        if key not in self._drawn:
            file = io.BytesIO()
            self._draw(*key[1:]).save(file, {"jpg": "JPEG"}.get(form, form.upper()), quality=88)
            # Pillow's JFIF segment stays behind EXIF, as cameras and editors write both
            self._drawn[key] = file.getvalue()[len(SOI) if form == "jpg" else 0 :]
        return self._drawn[key]

    @cached_property
    def _dated(self) -> list[tuple[bytes, bytes, bytes]]:
        """The files without their first bytes, split at the first date."""
        parts = []
        for data in self._files:
            found = DATE.search(data, 0, 1 << 16)
            start, end = found.span() if found else (len(SOI), len(SOI))
            parts.append((data[len(SOI) : start], data[start:end], data[end:]))
        return parts

    def _draw(self, size: tuple[int, int], variant: int) -> Image.Image:
        rng = np.random.default_rng([self.seed, variant])
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        if not self.noise:
            return picture
        noisy = np.asarray(picture) + rng.normal(0, self.noise, (size[1], size[0], 1))
        return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))

    @cached_property
    def _exif(self) -> dict[int, bytes]:
        """The APP1 segments of pictures whose number ends in 1 to 8: the orientations, each with a camera."""
        found = {}
        for orientation in range(1, 9):
            make, model = CAMERAS[orientation % len(CAMERAS)]
            exif = Image.Exif()
            exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = make, model
            exif[ExifTags.Base.Orientation] = orientation
            exif.get_ifd(ExifTags.IFD.Exif).update(
                {
                    ExifTags.Base.DateTimeOriginal: f"2023:06:2{orientation} 07:33:13",
                    ExifTags.Base.FocalLength: 35.0,
                    ExifTags.Base.FNumber: 5.6,
                    ExifTags.Base.ISOSpeedRatings: 100 * orientation,
                    ExifTags.Base.ExposureTime: 1 / 60,
                    ExifTags.Base.Flash: 16,
                }
            )
            data = exif.tobytes()
            found[orientation] = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
        return found
