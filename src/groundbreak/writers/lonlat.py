"""Geometries of events in longitude and latitude, as RFC 7946 wants them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from pyproj import Transformer
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

DECIMALS = 8
"""Of a degree: about a millimetre."""
HALF_A_TURN = 180.0
"""What seems to be wider crosses the antimeridian."""


def to_lonlat(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """A (Multi)Polygon in WGS 84 longitude and latitude.

    Outer rings run counter-clockwise, holes clockwise (RFC 7946, 3.1.6); what crosses the
    antimeridian is cut there (3.1.9).

    Args:
        geometry: in ``crs``.
        crs: for example ``EPSG:32652``.
    """
    transformer = _transformer(crs)

    def project(xy: np.ndarray) -> np.ndarray:
        lon, lat = transformer.transform(xy[:, 0], xy[:, 1])
        return np.round(np.column_stack([lon, lat]), DECIMALS)

    shape = shapely.transform(geometry, project)
    west, _, east, _ = shape.bounds
    if east - west > HALF_A_TURN:
        shape = _cut(shape)
    if not shape.is_valid:
        # Rounding can fold a sliver over; cutting at the antimeridian can leave a line.
        shape = _areas(shapely.make_valid(shape))
    return shapely.orient_polygons(shape)


def point_lonlat(geometry: BaseGeometry, crs: str) -> tuple[float, float]:
    """Longitude and latitude of a point that lies inside a (Multi)Polygon, whatever its shape.

    Args:
        geometry: in ``crs``.
        crs: for example ``EPSG:32652``.
    """
    inside = shapely.point_on_surface(geometry)
    lon, lat = _transformer(crs).transform(inside.x, inside.y)
    return lon, lat


def _cut(shape: BaseGeometry) -> BaseGeometry:
    """Cut what lies on both sides of the antimeridian into an eastern and a western part."""
    continuous = shapely.transform(
        shape,
        lambda xy: np.column_stack([np.where(xy[:, 0] < 0, xy[:, 0] + 360, xy[:, 0]), xy[:, 1]]),
    )
    west_of_it = continuous.intersection(box(0, -90, 180, 90))
    east_of_it = translate(continuous.intersection(box(180, -90, 360, 90)), -360.0)
    return _areas(shapely.GeometryCollection([west_of_it, east_of_it]))


def _areas(shape: BaseGeometry) -> BaseGeometry:
    """The polygons in a geometry; a single one as a Polygon."""
    parts = shapely.get_parts(shape)
    flat = [piece for part in parts for piece in shapely.get_parts(part)]
    areas = [piece for piece in flat if isinstance(piece, Polygon) and piece.area > 0]
    return areas[0] if len(areas) == 1 else MultiPolygon(areas)


@lru_cache(maxsize=128)
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
