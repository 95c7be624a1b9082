"""From the geometry of a feature to the outline of a site: checked, repaired, continuous.

Nothing is guessed: what can be read in two ways is refused with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.lonlat import joined, unwrapped

NORTHERNMOST, SOUTHERNMOST = 84.0, -80.0
"""Where UTM ends, and with it the grid of a site."""

CIRCLE_VERTICES = 64

_GEOD = Geod(ellps="WGS84")
_REFUSED_TYPES = {
    "LineString": "is a line, not an area",
    "MultiLineString": "is a set of lines, not an area",
    "GeometryCollection": "is a collection of geometries",
}

Ring = NDArray[np.float64]


class RefusedError(ValueError):
    """Why a feature cannot be a site, in one line that reads on from the feature's name."""


class SwappedError(RefusedError):
    """Latitude and longitude look swapped."""


def outline(
    geometry: Mapping[str, Any] | None, crs: CRS | None, buffer_m: float | None
) -> tuple[BaseGeometry, list[str]]:
    """The outline of a site from a GeoJSON-like geometry.

    Args:
        geometry: Polygon, MultiPolygon, Point or MultiPoint; a third coordinate is dropped.
        crs: what its coordinates are in (x, y order); None for lon/lat on WGS 84.
        buffer_m: radius around points in metres; not used for polygons.

    Returns:
        A valid (Multi)Polygon in lon/lat with continuous longitudes whose western edge is in
        [-180, 180), and notes on what was repaired.

    Raises:
        RefusedError: it is none of these, or empty, or out of range, or at a pole.
    """
    kind, coordinates = _kind_and_coordinates(geometry)
    to_lonlat = _transformer(crs)
    notes: list[str] = []
    if kind in ("Point", "MultiPoint"):
        positions = [coordinates] if kind == "Point" else coordinates
        points = _to_lonlat(_positions(positions), crs, to_lonlat)
        parts = [circle(lon, lat, _radius(buffer_m)) for lon, lat in points]
    else:
        polygons = [coordinates] if kind == "Polygon" else coordinates
        parts = []
        for rings in polygons:
            parts += _polygon(rings, crs, to_lonlat, notes)
    shape = joined(parts)
    _check_extent(shape)
    return shape, list(dict.fromkeys(notes))


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """The geodesic circle around a point (Karney's direct problem, by PROJ), in lon/lat."""
    azimuths = np.linspace(0.0, 360.0, CIRCLE_VERTICES, endpoint=False)
    ones = np.ones_like(azimuths)
    lons, lats, _ = _GEOD.fwd(lon * ones, lat * ones, azimuths, radius_m * ones)
    lons = lon + (lons - lon + 180.0) % 360.0 - 180.0
    _check_latitudes(np.asarray(lats))
    to_pole = _GEOD.inv(lon, lat, lon, math.copysign(90.0, lat))[2]
    if radius_m >= to_pole:
        raise RefusedError("reaches a pole: there is no grid for it")
    return shapely.orient_polygons(Polygon(np.column_stack([lons, lats])))


def _kind_and_coordinates(geometry: Mapping[str, Any] | None) -> tuple[str, Sequence[Any]]:
    if not isinstance(geometry, Mapping):
        raise RefusedError("has no geometry")
    kind = geometry.get("type")
    if kind in _REFUSED_TYPES:
        raise RefusedError(f"{_REFUSED_TYPES[kind]}: draw a polygon, or give a point with buffer_m")
    if kind not in ("Point", "MultiPoint", "Polygon", "MultiPolygon"):
        raise RefusedError(f"has a geometry of unknown type {kind!r}")
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list | tuple) or not coordinates:
        raise RefusedError("has an empty geometry")
    return str(kind), coordinates


def _transformer(crs: CRS | None) -> Transformer | None:
    if crs is None or crs == CRS("OGC:CRS84") or crs == CRS("EPSG:4326"):
        return None
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _radius(buffer_m: float | None) -> float:
    if buffer_m is None:
        raise RefusedError("is a point without buffer_m")
    if not 0 < buffer_m < math.inf:
        raise RefusedError(f"has buffer_m {buffer_m:g}: it must be a positive length in metres")
    return buffer_m


def _positions(positions: Sequence[Any]) -> Ring:
    """Positions as an array (n, 2) of finite numbers."""
    rows = []
    for position in positions:
        if not isinstance(position, list | tuple) or len(position) < 2:
            raise RefusedError(f"has a malformed position {position!r}"[:80])
        x, y = position[:2]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (x, y)):
            raise RefusedError(f"has a position that is not two numbers: {position!r}"[:80])
        if not (math.isfinite(x) and math.isfinite(y)):
            raise RefusedError("has a position that is not finite")
        rows.append((float(x), float(y)))
    return np.asarray(rows, dtype=np.float64)


def _to_lonlat(xy: Ring, crs: CRS | None, transformer: Transformer | None) -> Ring:
    if crs is not None and crs.is_projected and _are_degrees(xy):
        raise RefusedError(f"has coordinates in degrees, but the file declares {crs.name}")
    if transformer is not None:
        xy = np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        if not np.isfinite(xy).all():
            raise RefusedError("has coordinates outside the CRS that the file declares")
    _check_range(xy)
    return xy


def _are_degrees(xy: Ring) -> bool:
    return bool((np.abs(xy[:, 0]) <= 180).all() and (np.abs(xy[:, 1]) <= 90).all())


def _check_range(lonlat: Ring) -> None:
    for lon, lat in lonlat:
        if abs(lat) > 90 and abs(lon) <= 90 and abs(lat) <= 180:
            raise SwappedError(f"has latitude {lat:g}: latitude and longitude look swapped")
        if abs(lat) > 90 or abs(lon) > 360:
            raise RefusedError(
                f"has coordinates out of range ({lon:g}, {lat:g}): give degrees of longitude and "
                "latitude, or declare the CRS"
            )


def _check_latitudes(lats: NDArray[np.float64]) -> None:
    if lats.max() > NORTHERNMOST or lats.min() < SOUTHERNMOST:
        raise RefusedError("reaches beyond 84° N or 80° S: there is no UTM grid near the poles")


def _polygon(
    rings: Any, crs: CRS | None, transformer: Transformer | None, notes: list[str]
) -> list[Polygon]:
    """The valid polygons that one polygon of the file amounts to."""
    if not isinstance(rings, list | tuple) or not rings:
        raise RefusedError("has an empty geometry")
    shell, *holes = (_ring(ring, crs, transformer, notes) for ring in rings)
    middle = _middle(shell)
    for hole in holes:
        hole[:, 0] += 360.0 * round((middle - _middle(hole)) / 360.0)
    polygon = Polygon(shell, holes)
    repaired: BaseGeometry = polygon
    if not polygon.is_valid:
        reason = shapely.is_valid_reason(polygon).split("[")[0].strip().lower()
        repaired = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        notes.append(f"its outline was not valid ({reason}) and was repaired")
    parts = [p for p in shapely.get_parts(repaired) if isinstance(p, Polygon) and p.area > 0]
    if not parts:
        raise RefusedError("has no area")
    return list(shapely.orient_polygons(parts))


def _middle(ring: Ring) -> float:
    return float(ring[:, 0].min() + ring[:, 0].max()) / 2.0


def _ring(
    positions: Any, crs: CRS | None, transformer: Transformer | None, notes: list[str]
) -> Ring:
    """A closed ring with continuous longitudes."""
    if not isinstance(positions, list | tuple) or not positions:
        raise RefusedError("has an empty ring")
    xy = _positions(positions)
    if not np.array_equal(xy[0], xy[-1]):
        xy = np.vstack([xy, xy[:1]])
        notes.append("its ring was open and was closed")
    if len(xy) < 4:
        raise RefusedError("has a ring of fewer than three corners")
    lonlat = _to_lonlat(xy, crs, transformer)
    _check_latitudes(lonlat[:, 1])
    if np.ptp(lonlat[:, 0]) >= 360.0:
        raise RefusedError("goes around the whole globe")
    lons = unwrapped(lonlat[:, 0])
    if lons[-1] != lons[0]:
        raise RefusedError("goes around a pole: there is no grid for it")
    if transformer is None and not np.array_equal(lons, lonlat[:, 0]):
        notes.append("its longitudes jump by 360°: taken as crossing the antimeridian")
    lonlat[:, 0] = lons
    return lonlat


def _check_extent(shape: BaseGeometry) -> None:
    west, south, east, north = shape.bounds
    _check_latitudes(np.array([south, north]))
    if east - west > 180.0:
        raise RefusedError("spans more than half of the globe")
