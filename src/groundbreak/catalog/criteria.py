"""Whether a scene that a STAC API sent is one that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pystac
import shapely
from shapely.affinity import translate
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

MOST_VERTICES = 500
"""A finer outline is asked for by its convex hull; what that finds too much is sorted out."""


def without_older_processing(
    items: Sequence[pystac.Item],
) -> tuple[list[pystac.Item], list[pystac.Item]]:
    """Of one Sentinel-2 acquisition processed several times, keep the last processing.

    Returns:
        The items kept and those left out.
    """
    newest: dict[tuple[Any, ...], float] = {}
    for item in items:
        key, baseline = _acquisition(item)
        if key is not None:
            newest[key] = max(newest.get(key, baseline), baseline)
    kept: list[pystac.Item] = []
    left_out: list[pystac.Item] = []
    for item in items:
        key, baseline = _acquisition(item)
        (kept if key is None or baseline == newest[key] else left_out).append(item)
    return kept, left_out


def within_world(geometry: BaseGeometry) -> BaseGeometry:
    """Continuous longitudes cut at ±180°, as GeoJSON wants them."""
    if geometry.bounds[2] <= 180.0 and geometry.bounds[0] >= -180.0:
        return geometry
    parts = []
    for turn in (-1, 0, 1):
        part = shapely.intersection(geometry, box(360 * turn - 180, -90, 360 * turn + 180, 90))
        parts += [
            translate(each, -360.0 * turn)
            for each in shapely.get_parts(part)
            if each.geom_type == "Polygon" and not each.is_empty
        ]
    return shapely.multipolygons(parts)


def simple(outline: BaseGeometry) -> BaseGeometry:
    """The outline, or one around it that is short enough to be sent."""
    if shapely.get_num_coordinates(outline) <= MOST_VERTICES:
        return outline
    return shapely.multipolygons([p.convex_hull for p in shapely.get_parts(outline)])


def touches(item: pystac.Item, outline: BaseGeometry) -> bool:
    """Whether the item's footprint touches; True where it cannot be told."""
    try:
        footprint = shape(item.geometry) if item.geometry else box(*_flat(item.bbox))
        west, _, east, _ = footprint.bounds
        if east - west > 180.0:  # drawn across ±180°, the wrong way round
            return True
        return bool(footprint.intersects(outline))
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
        return True


def _flat(bbox: Sequence[float] | None) -> Sequence[float]:
    """West, south, east, north, also of a box with heights."""
    if bbox is None:
        raise ValueError("neither geometry nor bbox")
    return bbox if len(bbox) == 4 else (bbox[0], bbox[1], bbox[3], bbox[4])


def in_time(item: pystac.Item, start: datetime | None, end: datetime | None) -> bool:
    """Whether the acquisition overlaps the dates; True where it cannot be told."""
    times = item.common_metadata
    first, last = times.start_datetime or item.datetime, times.end_datetime or item.datetime
    if first is None or last is None:
        return True
    return (end is None or first <= end) and (start is None or last >= start)


def _acquisition(item: pystac.Item) -> tuple[tuple[Any, ...] | None, float]:
    """What two processings of one Sentinel-2 acquisition have in common, and the baseline."""
    said = item.properties
    tile = said.get("grid:code") or said.get("s2:mgrs_tile")
    try:
        baseline = float(said["s2:processing_baseline"])
    except (KeyError, TypeError, ValueError):
        return None, 0.0
    if not tile or not said.get("platform") or item.datetime is None:
        return None, 0.0
    minute = item.datetime.replace(second=0, microsecond=0)
    return (item.collection_id, said["platform"], tile, minute), baseline
