"""Whether a scene that a STAC API sent is one that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pystac
import shapely
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from groundbreak.lonlat import continuous, shifted

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


def simple(outline: BaseGeometry) -> BaseGeometry:
    """The outline, or one around it that is short enough to be sent."""
    if shapely.get_num_coordinates(outline) <= MOST_VERTICES:
        return outline
    return shapely.multipolygons([p.convex_hull for p in shapely.get_parts(outline)])


def touches(item: pystac.Item, area: BaseGeometry) -> bool:
    """Whether the item's footprint touches; True where it cannot be told.

    Args:
        item: with a geometry or a bbox, on whichever side of the antimeridian it was written.
        area: a (Multi)Polygon in lon/lat with continuous longitudes.
    """
    try:
        footprint = continuous(shape(item.geometry) if item.geometry else _box(item.bbox))
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
        return True
    parts = shapely.get_parts(footprint)
    turns = (-360.0, 0.0, 360.0)
    return any(shifted(part, turn).intersects(area) for part in parts for turn in turns)


def _box(bbox: Sequence[float] | None) -> BaseGeometry:
    """A box as a polygon; it may have heights, and its west may lie east of its east."""
    if bbox is None:
        raise ValueError("neither geometry nor bbox")
    west, south, east, north = bbox if len(bbox) == 4 else (*bbox[:2], *bbox[3:5])
    return box(west, south, east + (360.0 if east < west else 0.0), north)


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
