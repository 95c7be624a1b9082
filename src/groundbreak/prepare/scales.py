"""What numbers mean where neither file nor catalogue states a scale, told from the numbers.

``scaling.to_unit`` takes integers for reflectance x 10000 and floating point for reflectance.
Pictures are also exported as digital numbers in floating point, or stretched to the whole range of
16 bits, and would be white all over. It is decided once per scene, from what it shows of the site.
"""

from __future__ import annotations

import logging

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import Source
from groundbreak.raster.bands import VISIBLE
from groundbreak.raster.offsets import is_sentinel2
from groundbreak.raster.read import read_unscaled
from groundbreak.scaling import REFLECTANCE_DN, recognise_scale
from groundbreak.types import Scene

log = logging.getLogger(__name__)

GLANCE = 256
"""Longest side of the pictures whose numbers are looked at."""

FEWEST = 16
"""Of fewer pixels nothing is concluded."""

MOST_CLIPPED = 0.5
"""A picture with a larger share beyond reflectance 1 was scaled wrongly, or shows cloud only."""


def find_scale(scene: Scene, grid: GeoBox, source: Source) -> float | None:
    """Reflectance per number of a scene that states no scale and is not reflectance as it is.

    Returns:
        the scale; None for any other scene.

    Raises:
        RasterError: a file is damaged, or nobody can know its scale.
        HrefError: an address may not be read.
    """
    small = grid if max(grid.shape) <= GLANCE else grid.zoom_to(GLANCE)
    numbers = read_unscaled(scene, small, sorted(VISIBLE), source.policy, source.opener)
    if numbers is None or numbers.shape[1] < FEWEST:
        return None
    whole = numbers.dtype.kind != "f"
    if whole and is_sentinel2(scene):
        return None
    scale = recognise_scale(numbers)
    usual = 1 / REFLECTANCE_DN if whole else 1.0
    if scale is None and np.mean((numbers * usual > 1).all(axis=0)) > MOST_CLIPPED:
        # Not in the reason: scenes with the same fault are told of together.
        log.info("scene %s: the median of its values is %.4g", scene.id, np.median(numbers))
        raise RasterError(
            f"scene {scene.id}",
            "most of its values are beyond reflectance 1",
            "state their scale in the file (gdal_edit -scale) or in its STAC item (raster:bands)",
        )
    return scale


def scale_note(scene_id: str, scale: float) -> str:
    """The remark on a scene whose scale was recognised."""
    times = round(1 / scale)
    return f"{scene_id}: states no scale; its numbers are taken for {times} times reflectance"
