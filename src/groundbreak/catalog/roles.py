"""What the roles and classes of a STAC asset say of it: picture or not, and whose codes a mask has.

Roles are those of the STAC best practices (asset roles), classes those of the extension
``classification``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from groundbreak.types import MaskKind

if TYPE_CHECKING:
    import pystac

CLOUD_ROLES = frozenset({"data-mask", "cloud", "cloud-shadow"})
"""Roles of rasters that say which pixels are unusable."""

NO_PICTURE_ROLES = CLOUD_ROLES | {
    "snow-ice",
    "saturation",
    "water-mask",
    "land-water",
    "incidence-angle",
    "azimuth",
    "sun-azimuth",
    "sun-elevation",
    "terrain-shadow",
    "terrain-occlusion",
    "terrain-illumination",
}
"""Roles of rasters that are no pictures of the ground."""

# Enough of what each code is called to tell the masks apart, by value and by first bit.
_VALUES = {MaskKind.SCL: {3: "shadow", 4: "veget", 8: "medium", 9: "high", 10: "cirrus"}}
_BITS = {
    MaskKind.QA_PIXEL: {0: "fill", 2: "cirrus", 3: "cloud", 4: "shadow", 5: "snow"},
    MaskKind.FMASK: {0: "cirrus", 1: "cloud", 3: "shadow", 4: "snow"},
}


def kind_of_classes(asset: pystac.Asset) -> MaskKind | None:
    """Which of the known masks the classes that an asset states are those of."""
    for member, place, known in (
        ("classification:classes", "value", _VALUES),
        ("classification:bitfields", "offset", _BITS),
    ):
        told = {
            entry.get(place): f"{entry.get('name')} {entry.get('description')}".lower()
            for entry in _entries(asset.extra_fields, member)
            if isinstance(entry.get(place), int)
        }
        for kind, words in known.items():
            if all(word in told.get(number, "") for number, word in words.items()):
                return kind
    return None


def _entries(asset: Mapping[str, Any], member: str) -> list[Mapping[str, Any]]:
    """The entries of a list that an asset has, or its bands."""
    bands = [band for key in ("bands", "raster:bands", "eo:bands") for band in _dicts(asset, key)]
    return [entry for owner in (asset, *bands) for entry in _dicts(owner, member)]


def _dicts(owner: Mapping[str, Any], member: str) -> list[Mapping[str, Any]]:
    listed = owner.get(member)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
