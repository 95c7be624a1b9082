"""Black frames and corners that nothing marks as missing: told from black that was seen.

Exports of a swath are zero where it ends, often without a nodata value. Zero may also be a shadow
or water in a picture of hard contrast, but that is frayed, full of specks, and dark around.
"""

from __future__ import annotations

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation, binary_fill_holes, label

from groundbreak.prepare.acquire import Source, read_one
from groundbreak.raster.bands import VISIBLE
from groundbreak.types import BoolArray, Patch, Scene

PROBE, GLANCE = 32, 256
"""Longest sides of the pictures in which black is looked for, and then looked at."""

LEAST_SHARE = 0.01
"""Of the picture; less is a shadow."""

WHOLE = 0.98
"""From this share on there is nothing beside the black to compare it with, and nothing to see."""

RAGGED = 0.05
"""Share of a black area by which it, or the picture beside it, misses being convex."""

SPECKS = 0.002
"""Share of a black area that may be of another colour."""

RIM = (3, 6)
"""Pixels from the black between which its surroundings are looked at: JPEG frays the first ones."""

DARK = 3.5 / 255
"""Surroundings as dark as that go over into black without a step ..."""

MOST_DARK = 0.3
"""... if it is more than this share of them."""


def has_fill(scene: Scene, grid: GeoBox, source: Source) -> bool:
    """Whether the black borders of a scene are fill though nothing says so.

    Raises:
        RasterError: a file is damaged.
        HrefError: an address may not be read.
    """
    return bool(_black(read_one(scene, _reduced(grid, PROBE), source)).any()) and shows_fill(
        read_one(scene, _reduced(grid, GLANCE), source)
    )


def shows_fill(patch: Patch) -> bool:
    """Whether black in a picture is fill: nearly all of it, or an area with straight edges, without
    specks, and bright around.
    """
    black = _black(patch)
    least = LEAST_SHARE * black.size
    if black.sum() < least:
        return False
    if black.sum() >= WHOLE * patch.valid.sum():
        return True
    rest = patch.valid & ~black
    visible = [i for i, band in enumerate(patch.bands) if band in VISIBLE]
    brightest = patch.pixels[visible].max(axis=0)
    notched = _notches(rest)
    areas, _ = label(black)
    for number in np.flatnonzero(np.bincount(areas.ravel())[1:] >= least) + 1:
        area = areas == number
        whole = binary_fill_holes(area)
        specks = np.count_nonzero(whole & rest) / np.count_nonzero(whole)
        ring = binary_dilation(area, iterations=RIM[1]) & ~binary_dilation(area, iterations=RIM[0])
        around = brightest[ring & rest]
        stepped = around.size == 0 or np.mean(around <= DARK) <= MOST_DARK
        straight = min(notched, _notches(area)) <= RAGGED * np.count_nonzero(area)
        if specks <= SPECKS and stepped and straight:
            return True
    return False


def _black(patch: Patch) -> BoolArray:
    return patch.valid & (patch.pixels == 0).all(axis=0)


def _reduced(grid: GeoBox, side: int) -> GeoBox:
    return grid if max(grid.shape) <= side else grid.zoom_to(side)


def _notches(area: BoolArray) -> float:
    """Pixels by which an area falls short of its convex hull, beside the stairs of its outline."""
    from scipy.spatial import ConvexHull

    rows, columns = np.nonzero(area)
    if not rows.size:
        return 0.0
    corners = np.concatenate(
        [np.stack([rows + down, columns + right]) for down in (0, 1) for right in (0, 1)], axis=1
    )
    hull = ConvexHull(np.unique(corners.T, axis=0))
    return float(hull.volume - hull.area / 2) - rows.size  # in a plane: its area, its perimeter
