"""Longitudes without a seam: a shape across the antimeridian is one shape that runs past 180."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry


def unwrapped(lons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes in order along a line, each within 180° of the one before.

    The last differs from the first by a whole turn if the line goes around a pole.
    """
    turns = np.cumsum(-360.0 * np.round(np.diff(lons) / 360.0))
    return np.concatenate([lons[:1], lons[1:] + turns])


def joined(polygons: Sequence[Polygon]) -> BaseGeometry:
    """Polygons side by side, whichever side of the antimeridian each was written on.

    Each must be continuous in itself. The widest gap between them comes to lie outside, and the
    western edge in [-180, 180). What touches along an edge (the cut of RFC 7946) or overlaps
    becomes one area.
    """
    placed = sorted((_westernmost(p) for p in polygons), key=lambda p: p.bounds[0])
    reach = np.maximum.accumulate([p.bounds[2] for p in placed])
    starts = [p.bounds[0] for p in placed[1:]] + [placed[0].bounds[0] + 360.0]
    widest = int(np.argmax(np.subtract(starts, reach)))
    if widest < len(placed) - 1:
        placed = placed[widest + 1 :] + [shifted(p, 360.0) for p in placed[: widest + 1]]
    if len(placed) == 1:
        return placed[0]
    together: BaseGeometry = MultiPolygon(placed)
    return together if together.is_valid else shapely.union_all(placed)


def continuous(geometry: BaseGeometry) -> BaseGeometry:
    """A (Multi)Polygon of any writing with continuous longitudes; holes are left out.

    For footprints: a hole in one does not matter, and nothing is refused. What is no polygon is
    returned as it is.
    """
    rings = []
    for part in shapely.get_parts(geometry):
        if isinstance(part, Polygon) and not part.is_empty:
            lons, lats = np.asarray(part.exterior.coords)[:, :2].T
            rings.append(Polygon(np.column_stack([unwrapped(lons), lats])))
    solid = [polygon for ring in rings for polygon in _valid(ring)]
    return joined(solid) if solid else geometry


def cut(geometry: BaseGeometry) -> BaseGeometry:
    """A continuous (Multi)Polygon as RFC 7946 wants it: cut at the antimeridian."""
    west, south, east, north = geometry.bounds
    if west >= -180.0 and east <= 180.0:
        return geometry
    pieces: list[Polygon] = []
    for turn in (-1, 0, 1):
        world = shapely.box(360.0 * turn - 180.0, south, 360.0 * turn + 180.0, north)
        parts = shapely.get_parts(shapely.intersection(geometry, world))
        solid = (part for part in parts if isinstance(part, Polygon) and part.area > 0)
        pieces += [shifted(part, -360.0 * turn) for part in solid]
    return pieces[0] if len(pieces) == 1 else MultiPolygon(pieces)


def bbox(geometry: BaseGeometry) -> list[float]:
    """West, south, east, north of (Multi)Polygons, written in any way, in the narrowest box.

    Across the antimeridian west is more than east (RFC 7946).
    """
    west, south, east, north = continuous(geometry).bounds
    return [west, south, east - 360.0 if east > 180.0 else east, north]


def shifted(polygon: Polygon, degrees: float) -> Polygon:
    """The polygon ``degrees`` further east."""
    if degrees == 0.0:
        return polygon
    moved: Polygon = shapely.transform(polygon, lambda xy: np.add(xy, (degrees, 0.0)))
    return moved


def fingerprint(shape: BaseGeometry) -> str:
    """Eight characters that are the same for the same outline, however it was saved."""
    # Seven decimals are a centimetre: enough to tell outlines apart, and blind to re-saving.
    text = shapely.to_wkt(shapely.normalize(shape), rounding_precision=7)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _westernmost(polygon: Polygon) -> Polygon:
    return shifted(polygon, -360.0 * ((polygon.bounds[0] + 180.0) // 360.0))


def _valid(polygon: Polygon) -> list[Polygon]:
    if polygon.is_valid:
        return [polygon]
    parts = shapely.get_parts(shapely.make_valid(polygon))
    return [part for part in parts if isinstance(part, Polygon) and part.area > 0]
