"""The EXIF of a photo as Flickr tells it (`flickr.photos.getExif`), and tags that a photo must have.

In: a photo. Out: its tags in Flickr's own wording, untouched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from imagelake.errors import BadItem, UsageError
from imagelake.sources.flickr.rows import Photo
from imagelake.sources.flickr.service import Flickr, code_of

# The tags that can be required, each with its names in Flickr's replies, old and new.
TAGS = {
    "ISO": ("ISO", "ISOSpeed"),
    "FNumber": ("FNumber", "Aperture"),
    "Flash": ("Flash",),
    "Saturation": ("Saturation",),
    "Sharpness": ("Sharpness",),
    "Contrast": ("Contrast",),
    "Orientation": ("Orientation",),
    "FocalLength": ("FocalLength",),
    "ExposureTime": ("ExposureTime", "Exposure"),
    "BrightnessValue": ("BrightnessValue", "Brightness"),
    "ExposureCompensation": ("ExposureCompensation", "ExposureBias"),
    "FocalLengthIn35mmFormat": ("FocalLengthIn35mmFormat", "FocalLengthIn35mmFilm"),
    "LightSource": ("LightSource",),
    "MaxApertureValue": ("MaxApertureValue", "MaximumLensAperture"),
}
# Sliders of Camera Raw have the names of camera settings (Sharpness, Contrast) and say nothing of the camera.
_EDITING = ("XMP-crs", "XMP-crd")


class Exif(NamedTuple):
    """What Flickr said of a photo's EXIF: `status` is ok, none, or denied (its owner hides it)."""

    status: str
    tags: Sequence[Mapping[str, Any]] | None


def required_tags(names: Iterable[str]) -> tuple[str, ...]:
    """The keys of `TAGS` that names stand for, without repeats.

    Raises:
        UsageError: a name that is not known.
    """
    known = {name.lower(): tag for tag, aliases in TAGS.items() for name in aliases}
    unknown = sorted(name for name in names if name.lower() not in known)
    if unknown:
        raise UsageError(f"--require-tags {','.join(unknown)}: choose from {','.join(TAGS)}")
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def exif_of(flickr: Flickr, photo: Photo) -> Exif:
    """Ask for a photo's EXIF.

    Raises:
        BadItem: `not_found`: the photo has gone since it was listed.
        ApiError: the API refuses.
    """
    arguments = {"photo_id": photo["id"], "secret": photo.get("secret")}
    reply = flickr.call("flickr.photos.getExif", arguments, answers=(1, 2))
    if reply["stat"] == "fail":
        if code_of(reply) == 1:
            raise BadItem("not_found", "Flickr has no such photo (any more)")
        return Exif("denied", None)
    found = reply.get("photo")
    tags = found.get("exif") if isinstance(found, Mapping) else None
    return Exif("ok", tags) if isinstance(tags, list) and tags else Exif("none", None)


def check_required(exif: Exif, required: Sequence[str]) -> None:
    """Hold that a photo's EXIF has every required tag, with a raw value.

    Raises:
        BadItem: `exif_denied`, or `missing_tags` with their names.
    """
    if not required:
        return
    if exif.status == "denied":
        raise BadItem("exif_denied", "the owner of the photo does not show its EXIF")
    present = {
        str(tag.get("tag")).lower()
        for tag in exif.tags or ()
        if isinstance(tag, Mapping) and tag.get("tagspace") not in _EDITING and _has_value(tag)
    }
    missing = [tag for tag in required if not present & {name.lower() for name in TAGS[tag]}]
    if missing:
        raise BadItem("missing_tags", f"the EXIF lacks {', '.join(missing)}")


def _has_value(tag: Mapping[str, Any]) -> bool:
    raw = tag.get("raw")
    value = raw.get("_content") if isinstance(raw, Mapping) else raw
    return value is not None and str(value).strip() != ""
