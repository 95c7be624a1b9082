"""What numbers mean where neither file nor catalogue states a scale, told from the numbers.

``scaling.to_unit`` takes integers for reflectance x 10000 and floating point for reflectance.
Pictures are also exported as digital numbers in floating point, or stretched to the whole range of
16 bits, and would be white all over. It is decided once per scene, from what it shows of the site.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import SceneLostError, Source
from groundbreak.prepare.looks import VISIBLE, LookPlan
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


def settle_scales(
    plans: Sequence[LookPlan], grid: GeoBox, source: Source
) -> tuple[Source, list[str]]:
    """Recognise the scale of scenes that state none and are not reflectance as they are.

    Returns:
        the source with the scales that were recognised, and a remark for each.

    Raises:
        SceneLostError: a file is damaged, or nobody can know its scale.
    """
    small = grid if max(grid.shape) <= GLANCE else grid.zoom_to(GLANCE)
    scales: dict[str, float] = {}
    for scene in (scene for plan in plans for scene in plan.scenes):
        try:
            scale = _scale(scene, small, source)
        except RasterError as error:
            raise SceneLostError(scene, error) from error
        if scale is not None:
            scales[scene.id] = scale
    notes = [
        f"{name}: states no scale; its numbers are taken for {round(1 / scale)} times reflectance"
        for name, scale in scales.items()
    ]
    for text in notes:
        log.info("scene %s", text)
    return replace(source, scales=scales), notes


def _scale(scene: Scene, grid: GeoBox, source: Source) -> float | None:
    numbers = read_unscaled(scene, grid, VISIBLE, source.policy, source.opener)
    if numbers is None or numbers.shape[1] < FEWEST:
        return None
    whole = numbers.dtype.kind != "f"
    if whole and is_sentinel2(scene):
        return None
    scale = recognise_scale(numbers)
    usual = 1 / REFLECTANCE_DN if whole else 1.0
    if scale is None and np.mean((numbers * usual > 1).all(axis=0)) > MOST_CLIPPED:
        raise RasterError(
            f"scene {scene.id}",
            f"most of its values are beyond reflectance 1 (the median is {np.median(numbers):.4g})",
            "state their scale in the file (gdal_edit -scale) or in its STAC item (raster:bands)",
        )
    return scale
