"""Events that are told no more: where they were on the map, and what the looks show there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from odc.geo.geobox import GeoBox
from shapely.geometry import Point

from groundbreak.pipeline.sitework import SiteWork
from groundbreak.prepare.store import PreparedLook
from groundbreak.report.draw import pixel_outline

AROUND = 1.3
"""Radius of the ring around a place, in radii of a disc of the event's area."""
LEAST_SHARE = 0.012
"""Of the map's longer side: the smallest ring on it."""

Ring = tuple[float, float, float]


def ring(told: Mapping[str, Any], grid: GeoBox) -> Ring | None:
    """A ring (x, y, radius), in pixels of the grid, around what was told once.

    None where its place was not noted, or is not on the grid.

    Args:
        told: an entry of ``news.json``.
        grid: of the site.
    """
    if told.get("lon") is None or told.get("lat") is None:
        return None
    place = pixel_outline({"type": "Point", "coordinates": [told["lon"], told["lat"]]}, grid)
    height, width = grid.shape
    if not isinstance(place, Point) or not (0 <= place.x < width and 0 <= place.y < height):
        return None
    radius = AROUND * math.sqrt(max(told.get("area_m2") or 0.0, 0.0) / math.pi)
    return place.x, place.y, max(radius / abs(float(grid.resolution.x)), 2.0)


def on_map(found: Ring, grid: GeoBox) -> Ring:
    """The same ring, large enough to be seen on the map of the grid."""
    x, y, radius = found
    return x, y, max(radius, LEAST_SHARE * max(grid.shape))


def looks_of(told: Mapping[str, Any], work: SiteWork) -> list[tuple[str, PreparedLook]]:
    """The looks that something was told of, as far as they are there, and the newest one."""
    scenes = set(told["scenes"])
    shown = [("", look) for look in work.looks if scenes & set(look.scene_ids)]
    if len(shown) == 2:
        shown = [("before", shown[0][1]), ("after", shown[1][1])]
    if work.looks and all(look.id != work.looks[-1].id for _, look in shown):
        shown.append(("newest", work.looks[-1]))
    return shown


def bounds(found: Ring) -> tuple[float, float, float, float]:
    """West, north, east and south of a ring."""
    x, y, radius = found
    return x - radius, y - radius, x + radius, y + radius
