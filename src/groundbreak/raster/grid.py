"""The one grid of a site: pure arithmetic, no files.

A grid is an odc-geo ``GeoBox`` in the UTM zone of the site's centroid, north up, its edges on whole
multiples of the pixel size: the same site at the same pixel size always gets the same grid,
whatever the scenes.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import SiteError
from groundbreak.types import BoolArray, Box, Site

_MIDDLE_M, _REACH_M = 500e3, 2.1e6
"""Easting of a zone's middle, and how far from it pixels have become 5 % too large."""

_SEGMENT_DEG = 0.05
"""Sides longer than this are divided before projection, since they are bent in UTM."""


def utm_code(lon: float, lat: float) -> str:
    """Authority code of the UTM zone that a place lies in.

    ``lon`` may run past 180. There are no zones beyond 84° N and 80° S, nor sites
    (``sites.geometry`` refuses them).
    """
    wrapped = (lon + 180.0) % 360.0
    zone = min(int(wrapped // 6.0) + 1, 60)
    return f"EPSG:{32600 + zone if lat >= 0 else 32700 + zone}"


def site_crs(site: Site) -> str:
    """The CRS of a site's grid, from its centroid."""
    centre = site.geometry.centroid
    return utm_code(centre.x, centre.y)


def site_shape(site: Site) -> BaseGeometry:
    """The site's polygon in the CRS of its grid, in metres.

    Raises:
        SiteError: it is too large for one UTM zone.
    """
    return _projected(site.geometry, site_crs(site), site.id)


def site_grid(site: Site, gsd_m: float) -> GeoBox:
    """The grid that all looks of a site share, at least one pixel large.

    Args:
        site: the site.
        gsd_m: pixel size in metres.

    Raises:
        SiteError: the site is too large for one UTM zone.
        ValueError: the pixel size is not positive.
    """
    if not (math.isfinite(gsd_m) and gsd_m > 0):
        raise ValueError(f"pixel size must be positive, got {gsd_m}")
    left, bottom, right, top = site_shape(site).bounds
    x0, x1 = _snapped(left, right, gsd_m)
    y0, y1 = _snapped(bottom, top, gsd_m)
    affine = Affine(gsd_m, 0.0, x0 * gsd_m, 0.0, -gsd_m, y1 * gsd_m)
    return GeoBox((y1 - y0, x1 - x0), affine, site_crs(site))


def check_size(site: Site, geobox: GeoBox, max_pixels: int) -> None:
    """Refuse a grid with more pixels than can be worked on.

    Raises:
        SiteError: it has more than ``max_pixels``.
    """
    height, width = geobox.shape
    if height * width > max_pixels:
        raise SiteError(
            f"site {site.id}",
            f"has {width} x {height} pixels of {abs(geobox.affine.a):g} m, more than "
            f"{max_pixels / 1e6:.0f} million",
            "split the site or ask for a coarser pixel size with --gsd",
        )


def site_mask(site: Site, geobox: GeoBox) -> BoolArray:
    """Pixels of a site's grid, or of a window of it, that the site's polygon touches.

    Returns:
        (height, width), True inside. A site smaller than a pixel has that pixel.
    """
    inside: BoolArray = rasterio.features.rasterize(
        [(_projected(site.geometry, str(geobox.crs), site.id), 1)],
        out_shape=tuple(geobox.shape),
        transform=geobox.affine,
        all_touched=True,
        dtype=np.uint8,
    ).astype(bool)
    return inside


def tile_windows(geobox: GeoBox, size: int, overlap: int) -> list[Box]:
    """Windows of ``size`` pixels that cover a grid, row by row.

    Neighbours share ``overlap`` pixels; the last of a row or column share more, so that they too
    have the full size. A grid smaller than ``size`` gets one window of its own size.

    Raises:
        ValueError: the overlap is not smaller than the size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be from 0 to {size - 1}, got {overlap}")
    height, width = geobox.shape
    return [
        Box(y0, min(y0 + size, height), x0, min(x0 + size, width))
        for y0 in _starts(height, size, size - overlap)
        for x0 in _starts(width, size, size - overlap)
    ]


def blocks(geobox: GeoBox, size: int) -> list[Box]:
    """Windows of at most ``size`` pixels a side that cover a grid once, row by row."""
    height, width = geobox.shape
    return [
        Box(y0, min(y0 + size, height), x0, min(x0 + size, width))
        for y0 in range(0, height, size)
        for x0 in range(0, width, size)
    ]


def _starts(length: int, size: int, step: int) -> list[int]:
    if length <= size:
        return [0]
    return [*range(0, length - size, step), length - size]


def _snapped(low: float, high: float, gsd_m: float) -> tuple[int, int]:
    """Whole pixels that cover an interval; a hair's breadth over an edge does not count."""
    first = math.floor(low / gsd_m + 1e-6)
    return first, max(math.ceil(high / gsd_m - 1e-6), first + 1)


@lru_cache(maxsize=128)
def _from_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _projected(geometry: BaseGeometry, crs: str, site_id: str) -> BaseGeometry:
    dense = shapely.segmentize(geometry, _SEGMENT_DEG)
    projected = shapely.transform(
        dense, lambda xy: np.column_stack(_from_lonlat(crs).transform(xy[:, 0], xy[:, 1]))
    )
    west, _, east, _ = projected.bounds
    reach = max(abs(west - _MIDDLE_M), abs(east - _MIDDLE_M))
    if not np.isfinite(projected.bounds).all() or reach > _REACH_M:
        raise SiteError(f"site {site_id}", "is too large for one UTM zone", "split it")
    return projected
