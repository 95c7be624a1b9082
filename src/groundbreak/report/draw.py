"""Outlines as SVG paths in the pixels of a site's grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.affinity import affine_transform
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import transform

from groundbreak.events.geometry import to_pixels

FILLED = 0.99
"""Of a picture: a site with so much of it leaves nothing outside that is worth a line."""


@lru_cache(maxsize=64)
def _to_grid(crs: str) -> Transformer:
    return Transformer.from_crs("OGC:CRS84", crs, always_xy=True)


def pixel_outline(geometry: Mapping[str, Any], grid: GeoBox) -> BaseGeometry:
    """A GeoJSON geometry (lon/lat) in pixels of the grid, x right and y down."""
    ground = transform(_to_grid(str(grid.crs)).transform, shape(geometry))
    to_px: Affine = ~grid.affine
    return affine_transform(ground, [to_px.a, to_px.b, to_px.d, to_px.e, to_px.c, to_px.f])


def site_edge(area: BaseGeometry | None, grid: GeoBox, detail_px: float) -> str:
    """The ``d`` of the site's outline on a picture of its grid.

    Empty where it says nothing: it is not known, or the site fills the picture.

    Args:
        area: the site's polygon in the grid's CRS.
        grid: of the picture.
        detail_px: what is smaller is left out, in pixels of the grid.
    """
    if area is None:
        return ""
    outline = to_pixels(area, grid)
    height, width = grid.shape
    if outline.area >= FILLED * height * width:
        return ""
    return svg_path(outline.simplify(detail_px))


def svg_path(outline: BaseGeometry, x0: float = 0, y0: float = 0) -> str:
    """The ``d`` of an SVG path, holes included, with (x0, y0) as the origin."""
    rings = (ring for part in _polygons(outline) for ring in (part.exterior, *part.interiors))
    return "".join(
        "M" + "L".join(f"{x - x0:.1f},{y - y0:.1f}" for x, y, *_ in ring.coords[:-1]) + "Z"
        for ring in rings
    )


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    if isinstance(geometry, Polygon):
        yield geometry
    else:
        for part in getattr(geometry, "geoms", ()):
            yield from _polygons(part)
