"""Where a look shows water in and around a berth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from groundbreak.events.evidence import ReadPixels
from groundbreak.events.geometry import burn, pixel_box, to_pixels
from groundbreak.events.slips import water_like
from groundbreak.types import BoolArray, Box


@dataclass(frozen=True)
class Water:
    """Water around a berth.

    Attributes:
        mask: (height, width), the pixels of ``box``.
        box: in the grid of the site.
        to_pixel: from the grid's CRS to its pixels.
        share: of the berth itself.
    """

    mask: BoolArray
    box: Box
    to_pixel: Affine
    share: float

    def at(self, point: Point) -> bool:
        """Whether there is water at a point of the grid's CRS."""
        x, y = self.to_pixel * (point.x, point.y)
        row, column = int(y) - self.box.y0, int(x) - self.box.x0
        inside = 0 <= row < self.mask.shape[0] and 0 <= column < self.mask.shape[1]
        return inside and bool(self.mask[row, column])


def show_water(berth: BaseGeometry, look_id: str, geobox: GeoBox, read_pixels: ReadPixels) -> Water:
    """Find the water that a look shows, as far from a berth as its mouth is looked for.

    Args:
        berth: outline in the CRS of the grid.
        look_id: of the look.
        geobox: grid of the site.
        read_pixels: reads a window of a look.
    """
    outline = to_pixels(berth, geobox)
    height, width = geobox.shape
    around = math.ceil(math.sqrt(outline.area) / 2) + 1
    box = pixel_box(outline).grown(around, (int(height), int(width)))
    pixels, bands = read_pixels(look_id, box)
    inside = burn(outline, box)
    mask = water_like(pixels, bands, inside)
    return Water(mask, box, ~geobox.affine, float(mask[inside].mean()) if inside.any() else 0.0)
