"""Where a look shows water in and around a berth, and whether it can be one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from groundbreak.events.evidence import ReadPixels, ReadUsable
from groundbreak.events.geometry import burn, pixel_box, to_pixels
from groundbreak.events.slips import water_like
from groundbreak.types import BoolArray, Box, FloatArray

LEAST_WATER = 0.1
"""A berth full of ships still shows so much water; less of it is dry land."""
LEAST_SIDES = 0.6
"""A berth lies between quays or piers: so much of its edge has a side.
What lies in open water is a ship that left, a plume, or a flat that the tide covered."""
LEAST_OPEN = 0.05
"""A berth opens to other water: there is so much of it beyond, as a share of the berth.
What does not is a pond, a flooded field or a pit."""
GATE_PX = 1
"""Water on both sides of what is twice as wide is one: a dock has a gate."""
RIM_PX, RIM_M = 3, 5.0
"""So near to an edge lies its side, in pixels and in metres: the farther counts, since the outline
of a berth keeps off its quays and their shadows. A pier may be as thin as a pixel, with water
behind it: what counts is that it is there, not how much of the rim it fills."""
REACH_PX = 8
"""So far around a berth is looked at least."""


@dataclass(frozen=True)
class Water:
    """Water around a berth.

    Attributes:
        mask: (height, width), the pixels of ``box``.
        box: in the grid of the site.
        to_pixel: from the grid's CRS to its pixels.
        share: of the berth itself.
        sides: share of the berth's edge that has something else than water beside it.
        beyond: water outside that the berth opens to, as a share of the berth's area.
    """

    mask: BoolArray
    box: Box
    to_pixel: Affine
    share: float
    sides: float
    beyond: float

    def may_hold_berth(self) -> bool:
        """False where there is dry land, open water on many sides, or water on no side at all."""
        return self.share >= LEAST_WATER and self.sides >= LEAST_SIDES and self.beyond >= LEAST_OPEN

    def at(self, point: Point) -> bool:
        """Whether there is water at a point of the grid's CRS."""
        x, y = self.to_pixel * (point.x, point.y)
        row, column = int(y) - self.box.y0, int(x) - self.box.x0
        inside = 0 <= row < self.mask.shape[0] and 0 <= column < self.mask.shape[1]
        return inside and bool(self.mask[row, column])


def show_water(
    berth: BaseGeometry,
    look_id: str,
    geobox: GeoBox,
    read_pixels: ReadPixels,
    read_usable: ReadUsable,
) -> Water:
    """Find the water that a look shows, as far from a berth as its mouth is looked for.

    Args:
        berth: outline in the CRS of the grid.
        look_id: of the look.
        geobox: grid of the site.
        read_pixels: reads a window of a look.
        read_usable: reads which pixels of it show the ground.
    """
    outline = to_pixels(berth, geobox)
    height, width = geobox.shape
    reach = max(REACH_PX, math.ceil(math.sqrt(outline.area) / 2) + 1)
    box = pixel_box(outline).grown(reach, (int(height), int(width)))
    pixels, bands = read_pixels(look_id, box)
    seen = read_usable(look_id, box)
    return find_water(burn(outline, box), pixels, bands, box, ~geobox.affine, seen)


def find_water(
    berth: BoolArray,
    pixels: FloatArray,
    bands: Sequence[str],
    box: Box,
    to_pixel: Affine,
    seen: BoolArray | None = None,
) -> Water:
    """As ``show_water``, of pixels that were read.

    Args:
        berth: (height, width), pixels of the berth.
        pixels: (bands, height, width) in [0, 1].
        bands: common names.
        box: where the pixels lie in the grid, ``REACH_PX`` or more around the berth where the grid
            goes on.
        to_pixel: from the grid's CRS to its pixels.
        seen: (height, width), where the ground is seen; None: all that is not black.
    """
    mask = water_like(pixels, bands, berth)
    share = float(mask[berth].mean()) if berth.any() else 0.0
    shown = np.asarray((pixels > 0).any(axis=0), bool)
    shown &= True if seen is None else seen
    mask &= shown
    rim = max(RIM_PX, RIM_M * math.hypot(to_pixel.a, to_pixel.d))
    sides, beyond = _sides(berth, mask, shown, rim), _beyond(berth, mask, shown)
    return Water(mask, box, to_pixel, share, sides, beyond)


def _sides(berth: BoolArray, water: BoolArray, seen: BoolArray, rim: float) -> float:
    """Share of the edge of a berth that has ground, a quay or a pier within so many pixels.

    The border of the picture is no edge; without an edge nothing speaks against the berth.
    """
    edge = berth & ~ndimage.binary_erosion(berth, border_value=1)
    ground = seen & ~water & ~berth
    if not edge.any():
        return 1.0
    if not ground.any():
        return 0.0
    away = ndimage.distance_transform_edt(~ground)
    return float((away[edge] <= rim).mean())


def _beyond(berth: BoolArray, water: BoolArray, seen: BoolArray) -> float:
    """Water outside that a berth opens to, as a share of its area.

    1 where it, or water that it opens to, goes on to what was not seen, or to the end of the
    picture.
    """
    bodies, _ = ndimage.label(ndimage.binary_dilation(water | berth, iterations=GATE_PX))
    own = np.isin(bodies, np.unique(bodies[berth]))
    ends = ~seen & ~berth
    ends[[0, -1], :] = ends[:, [0, -1]] = True
    if not berth.any() or (own & ends).any():
        return 1.0
    return float((own & water & ~berth).sum() / berth.sum())
