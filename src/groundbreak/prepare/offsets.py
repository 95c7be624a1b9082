"""Whether the Sentinel-2 offset was settled rightly: the dark pixels of all looks are compared.

What products and catalogues say of the offset of baseline 04.00 is wrong at times, and a look that
is 1000 digital numbers brighter than its neighbours would be change everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import (
    SceneLostError,
    Source,
    available_bands,
    by_masks,
    read_one,
)
from groundbreak.prepare.known import Known, scene_basis
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
    plans: Sequence[LookPlan], grid: GeoBox, source: Source, known: Known
) -> tuple[Source, list[str]]:
    """Decide the offset of every Sentinel-2 scene, by metadata first and dark pixels second.

    Doubtful scenes (baseline unknown, or an offset that is said to be removed, or that we take
    off) are compared with the first scene whose baseline is too old to have an offset, else with
    the first of all. What was decided holds as long as that is the same scene: a scene of an
    earlier date, or the first one of an old baseline, may have the others decided otherwise.

    Args:
        plans: of the looks, by date.
        grid: the coarse grid of the site.
        source: how scenes are read.
        known: answers that are kept.

    Returns:
        the source with the decisions that differ from the metadata's, and a remark for each.

    Raises:
        SceneLostError: a file is damaged.
    """
    scenes = [scene for plan in plans for scene in plan.scenes if is_sentinel2(scene)]
    told = {scene.id: baseline_offset(scene) for scene in scenes}
    if len(scenes) < 2 or all(decision.certain for decision in told.values()):
        return source, []
    first = next((s for s in scenes if told[s.id].certain), scenes[0])
    usual = _darks(first, grid, source, known)
    offsets: dict[str, OffsetDecision] = {}
    for scene in scenes:
        decision = told[scene.id]
        if scene is first or decision.certain or not usual:
            continue
        darks = _darks(scene, grid, source, known)
        jumps = [check_dark_jump(usual[n], dark) for n, dark in darks.items() if n in usual]
        corrections = {jump.correction_dn for jump in jumps}
        # Haze brightens blue more than red; the offset is the same in every band.
        if len(corrections) == 1 and (correction := corrections.pop()):
            reason = f"{decision.reason}, but {jumps[0].reason}"
            offsets[scene.id] = replace(decision, dn=decision.dn + correction, reason=reason)
    notes = [f"{name}: {decision.reason}" for name, decision in offsets.items()]
    for text in notes:
        log.warning("scene %s", text)
    return replace(source, offsets=offsets), notes


def _darks(scene: Scene, grid: GeoBox, source: Source, known: Known) -> dict[str, float]:
    """Dark end of every band in digital numbers, where no mask says cloud; none if all is."""
    bands = available_bands([scene], source.bands)
    corrected = [source.fill_of(scene), source.scales.get(scene.id)]
    question = ["darks", scene_basis(scene, grid, bands), corrected]
    darks = known.of(question, lambda: _find_darks(scene, grid, source), dark_ends)
    return dict(zip(bands, darks or (), strict=False))


def dark_ends(answer: Any) -> list[float] | None:
    """What was kept of ``_find_darks``; TypeError if it is something else."""
    if answer is None:
        return None
    if not isinstance(answer, list) or not all(isinstance(dark, float) for dark in answer):
        raise TypeError(f"{answer!r} is no list of numbers")
    return answer


def _find_darks(scene: Scene, grid: GeoBox, source: Source) -> list[float] | None:
    small = grid if max(grid.shape) <= GLANCE else grid.zoom_to(GLANCE)
    try:
        patch = read_one(scene, small, source)
        clear = patch.valid & by_masks(scene, small, source)[0]
    except RasterError as error:
        raise SceneLostError(scene, error) from error
    bands = [replace(patch, pixels=band[None], valid=clear) for band in patch.pixels]
    darks = [dark_dn(band) for band in bands]
    return None if None in darks else [float(dark) for dark in darks if dark is not None]
