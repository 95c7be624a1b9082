"""Whether the Sentinel-2 offset was settled rightly: the dark pixels of all looks are compared.

What products and catalogues say of the offset of baseline 04.00 is wrong at times, and a look that
is 1000 digital numbers brighter than its neighbours would be change everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import SceneLostError, Source, read_one
from groundbreak.prepare.looks import LookPlan
from groundbreak.raster.offsets import (
    OffsetDecision,
    baseline_offset,
    check_dark_jump,
    dark_dn,
    is_sentinel2,
)
from groundbreak.types import Scene

log = logging.getLogger(__name__)

GLANCE = 256
"""Longest side of the pictures whose dark pixels are compared."""


def settle_offsets(
    plans: Sequence[LookPlan], grid: GeoBox, source: Source
) -> tuple[Source, list[str]]:
    """Decide the offset of every Sentinel-2 scene, by metadata first and dark pixels second.

    The lower median of the dark ends is taken as right: a look in which the offset was left in
    is the odd one out on the bright side.

    Returns:
        the source with the decisions that differ from the metadata's, and a remark for each.

    Raises:
        SceneLostError: a file is damaged.
    """
    scenes = [scene for plan in plans for scene in plan.scenes if is_sentinel2(scene)]
    darks = {scene.id: dark for scene in scenes if (dark := _dark(scene, grid, source)) is not None}
    if len(darks) < 2:
        return source, []
    usual = sorted(darks.values())[(len(darks) - 1) // 2]
    offsets: dict[str, OffsetDecision] = {}
    notes = []
    for scene in scenes:
        if scene.id not in darks:
            continue
        jump = check_dark_jump(usual, darks[scene.id])
        if jump.correction_dn:
            told = baseline_offset(scene)
            reason = f"{told.reason}, but {jump.reason}"
            offsets[scene.id] = replace(told, dn=told.dn + jump.correction_dn, reason=reason)
            notes.append(f"{scene.id}: {reason}")
            log.warning("scene %s: %s", scene.id, reason)
    return replace(source, offsets=offsets), notes


def _dark(scene: Scene, grid: GeoBox, source: Source) -> float | None:
    small = grid if max(grid.shape) <= GLANCE else grid.zoom_to(GLANCE)
    try:
        return dark_dn(read_one(scene, small, source))
    except RasterError as error:
        raise SceneLostError(scene, error) from error
