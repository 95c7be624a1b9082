"""Where a site is and how large, so that a wrong coordinate is seen before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

_GEOD = Geod(ellps="WGS84")
_KM_FROM_M = 1000.0
"""From this side on lengths are told in kilometres; areas in km² from a tenth of one on."""


@dataclass(frozen=True)
class Extent:
    """The middle of a site's box in degrees (east and north positive), its sides and its area."""

    lon: float
    lat: float
    width_m: float
    height_m: float
    area_m2: float

    def in_words(self) -> str:
        """``40.0312° N, 128.1870° E; 1.2 × 0.9 km, 1.1 km²``."""
        north, east = "N" if self.lat >= 0 else "S", "E" if self.lon >= 0 else "W"
        return (
            f"{abs(self.lat):.4f}° {north}, {abs(self.lon):.4f}° {east}; "
            f"{_sides(self.width_m, self.height_m)}, {_area(self.area_m2)}"
        )


def extent(geometry: BaseGeometry) -> Extent:
    """Place and size of an outline in lon/lat with continuous longitudes, on the ellipsoid."""
    west, south, east, north = geometry.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    _, _, width = _GEOD.inv(west, lat, east, lat)
    _, _, height = _GEOD.inv(lon, south, lon, north)
    area, _ = _GEOD.geometry_area_perimeter(shapely.orient_polygons(geometry))
    return Extent((lon + 180.0) % 360.0 - 180.0, lat, width, height, abs(area))


def _sides(width_m: float, height_m: float) -> str:
    if max(width_m, height_m) < _KM_FROM_M:
        return f"{_number(width_m)} × {_number(height_m)} m"
    return f"{_number(width_m / 1000)} × {_number(height_m / 1000)} km"


def _area(area_m2: float) -> str:
    if area_m2 < _KM_FROM_M**2 / 10:
        return f"{_number(area_m2)} m²"
    return f"{_number(area_m2 / 1e6)} km²"


def _number(value: float) -> str:
    """One digit behind the point below 10, else none; two below 1, lest nothing is left."""
    return f"{value:,.{2 if value < 0.95 else 1 if value < 9.95 else 0}f}"
