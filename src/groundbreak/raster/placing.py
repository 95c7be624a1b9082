"""Where the pixels of a raster of any CRS lie on the Earth: outline and size on the ground."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from affine import Affine
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import RasterError

_GEOD = Geod(ellps="WGS84")
_SIDE_POINTS = 21


@lru_cache(maxsize=256)
def parse_crs(crs: str) -> CRS:
    """A CRS of the Earth that has a place on it.

    Raises:
        RasterError: unknown, local ("engineering"), or of another celestial body.
    """
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        raise RasterError(
            f"CRS '{crs[:40]}'", "is not known", "give it as EPSG:… in the column 'crs'"
        ) from error
    name = f"CRS '{parsed.name[:40]}'"
    if not (parsed.is_geographic or parsed.is_projected):
        raise RasterError(name, "does not place anything on the ground")
    ellipsoid = parsed.ellipsoid
    if ellipsoid is not None and not 6.3e6 < ellipsoid.semi_major_metre < 6.45e6:
        raise RasterError(name, "is not of the Earth")
    return parsed


@lru_cache(maxsize=256)
def to_lonlat(crs: str) -> Transformer:
    """Transformer from x, y of a CRS to longitude, latitude."""
    return Transformer.from_crs(parse_crs(crs), "EPSG:4326", always_xy=True)


def ground_gsd(crs: str, transform: Affine, shape: tuple[int, int]) -> float:
    """Size of the middle pixel on the ground in metres (root of its sides' product).

    Measured on the ellipsoid, so degrees and the stretched metres of EPSG:3857 come out right.

    Raises:
        RasterError: the CRS is not of the Earth, or the middle pixel lies outside of it.
    """
    height, width = shape
    column, row = (width - 1) / 2, (height - 1) / 2
    corners = [transform * p for p in ((column, row), (column + 1, row), (column, row + 1))]
    lon, lat = _lonlat(crs, [c[0] for c in corners], [c[1] for c in corners])
    _, _, across = _GEOD.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, down = _GEOD.inv(lon[0], lat[0], lon[2], lat[2])
    return math.sqrt(across * down)


def outline(crs: str, transform: Affine, shape: tuple[int, int]) -> BaseGeometry:
    """Outline of a raster in lon/lat with continuous longitudes.

    Raises:
        RasterError: the CRS is not of the Earth, or the raster lies outside of it.
    """
    height, width = shape
    along = np.linspace(0.0, 1.0, _SIDE_POINTS)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = width * np.concatenate([along, one, 1 - along, zero])
    rows = height * np.concatenate([zero, along, one, 1 - along])
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    lon, lat = _lonlat(crs, x, y)
    # A whole turn between neighbours is the seam of the longitudes, never a real side.
    lon = np.unwrap(lon, period=360.0)
    lon -= 360.0 * math.floor((float(lon.mean()) + 180.0) / 360.0)
    return Polygon(np.column_stack([lon, lat]))


def _lonlat(crs: str, x: object, y: object) -> tuple[np.ndarray, np.ndarray]:
    try:
        lon, lat = to_lonlat(crs).transform(np.asarray(x, float), np.asarray(y, float))
    except ProjError as error:
        raise RasterError("raster", "lies outside its CRS") from error
    if not (np.isfinite(lon).all() and np.isfinite(lat).all() and (np.abs(lat) <= 90.0).all()):
        raise RasterError("raster", f"lies outside its CRS ({parse_crs(crs).name})")
    return lon, lat
