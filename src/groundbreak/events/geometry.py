"""Footprints: between pixels and ground, overlap, right-angled outlines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.types import BoolArray, Box

MIN_REGULAR_IOU = 0.85
"""A right-angled outline that fits the mask less well than this is not used."""
MIN_CIRCLE_IOU = 0.94
"""With a disc of its area. A tank eight pixels wide to each side has it, a blurred house not."""


def to_ground(geometry: BaseGeometry, geobox: GeoBox) -> BaseGeometry:
    """Move a geometry from pixels of the grid to the grid's CRS."""
    affine = geobox.affine
    return shapely.transform(
        geometry,
        lambda xy: np.column_stack(
            [
                affine.a * xy[:, 0] + affine.b * xy[:, 1] + affine.c,
                affine.d * xy[:, 0] + affine.e * xy[:, 1] + affine.f,
            ]
        ),
    )


def to_pixels(geometry: BaseGeometry, geobox: GeoBox) -> BaseGeometry:
    """Move a geometry from the grid's CRS to pixels of the grid."""
    inverse = ~geobox.affine
    return shapely.transform(
        geometry,
        lambda xy: np.column_stack(
            [
                inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c,
                inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f,
            ]
        ),
    )


def pixel_box(outline: BaseGeometry) -> Box:
    """The smallest window around a geometry in pixels."""
    west, north, east, south = outline.bounds
    return Box(
        math.floor(north),
        max(math.ceil(south), math.floor(north) + 1),
        math.floor(west),
        max(math.ceil(east), math.floor(west) + 1),
    )


def burn(outline: BaseGeometry, box: Box) -> BoolArray:
    """Pixels of a window whose centres lie in a geometry in pixels; those it touches if none do."""
    from rasterio.features import rasterize

    for all_touched in (False, True):
        mask: BoolArray = rasterize(
            [outline],
            out_shape=box.shape,
            transform=Affine.translation(box.x0, box.y0),
            all_touched=all_touched,
            dtype=np.uint8,
        ).astype(bool)
        if mask.any():
            break
    return mask


def iou(one: BaseGeometry, other: BaseGeometry) -> float:
    """Intersection over union, 0 for disjoint or empty geometries."""
    shared = one.intersection(other).area
    union = one.area + other.area - shared
    return float(shared / union) if union > 0 else 0.0


def containment(one: BaseGeometry, other: BaseGeometry) -> float:
    """Share of the smaller geometry that lies in the other."""
    smaller = min(one.area, other.area)
    return float(one.intersection(other).area / smaller) if smaller > 0 else 0.0


def area_ratio(one: BaseGeometry, other: BaseGeometry) -> float:
    """Of the smaller area to the larger one; 0 without any area."""
    small, large = sorted((one.area, other.area))
    return float(small / large) if large else 0.0


def width_px(outline: BaseGeometry, geobox: GeoBox) -> float:
    """Shorter side of the minimum rotated rectangle, in pixels of the grid."""
    corners = np.asarray(shapely.minimum_rotated_rectangle(outline).exterior.coords)[:3]
    sides = np.hypot(*np.diff(corners, axis=0).T)
    return float(sides.min() / abs(geobox.resolution.x))


def widest_px(outline: BaseGeometry, geobox: GeoBox) -> float:
    """Width of the widest place of an outline, in pixels of the grid, however it is bent.

    The frame of a thin hook is much wider (`width_px`).
    """
    radius = shapely.maximum_inscribed_circle(outline).length
    return float(2 * radius / abs(geobox.resolution.x))


def largest_polygon(geometry: BaseGeometry) -> Polygon:
    """The largest polygon of a valid geometry; an empty one if it has none."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    return max(parts, key=lambda part: part.area, default=Polygon())


def regularize(polygons: Sequence[Polygon], gsd_m: float) -> list[Polygon]:
    """Building outlines with right angles, where these fit.

    Uses the package buildingregulariser. An outline that becomes invalid, falls apart, or whose
    intersection over union with the given polygon is below `MIN_REGULAR_IOU` stays as it was.

    Args:
        polygons: outlines in a metric CRS.
        gsd_m: pixel size; edges closer than a pixel are taken for one.

    Returns:
        One polygon for each given one, in the same order.
    """
    if not polygons:
        return []
    import geopandas as gpd
    from buildingregulariser import regularize_geodataframe

    frame = gpd.GeoDataFrame({"number": range(len(polygons))}, geometry=list(polygons))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regular = regularize_geodataframe(
            frame,
            parallel_threshold=gsd_m,
            simplify_tolerance=gsd_m,
            allow_45_degree=False,
            circle_threshold=MIN_CIRCLE_IOU,
            num_cores=1,
        )
    found: dict[int, list[BaseGeometry]] = {}
    for number, geometry in zip(regular["number"], regular.geometry, strict=True):
        found.setdefault(int(number), []).append(geometry)
    return [_better(polygon, found.get(number, [])) for number, polygon in enumerate(polygons)]


def _better(polygon: Polygon, regular: Sequence[BaseGeometry]) -> Polygon:
    if len(regular) != 1:
        return polygon
    outline = regular[0]
    fits = isinstance(outline, Polygon) and outline.is_valid and not outline.is_empty
    return outline if fits and iou(outline, polygon) >= MIN_REGULAR_IOU else polygon
