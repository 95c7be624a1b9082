"""Several files of the same ground and time that differ: a scene beside one that corrects it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import SceneLostError, Source, available_bands, read_one
from groundbreak.prepare.known import Known, record, scene_basis
from groundbreak.prepare.looks import LookPlan
from groundbreak.types import Patch, Scene

BESIDE = 0.2
"""Share of a footprint that may lie beside the other's: neighbouring frames share far less."""
GLANCE = 256
"""Longest side of the pictures that are compared."""
UNLIKE = 0.02
"""Values that differ by less may be the same picture stored otherwise."""
SOME_SHARE = 0.01
"""Of the common ground; smaller differences are passed over."""
FEWEST = 16
"""Of fewer pixels in common nothing is concluded."""
MOST_NAMED = 4
"""Looks that are told of one by one."""


@dataclass(frozen=True)
class _Compared:
    """Whether two scenes show different things."""

    unlike: bool


_COMPARED = record(_Compared)


def versions(plans: Sequence[LookPlan], grid: GeoBox, source: Source, known: Known) -> list[str]:
    """Notes on looks of which several scenes show the same ground otherwise.

    Args:
        plans: the looks.
        grid: the coarse grid of the site.
        source: how scenes are read, with what was corrected.
        known: answers that are kept.

    Raises:
        SceneLostError: a file is damaged.
        HrefError: an address may not be read.
    """
    small = grid if max(grid.shape) <= GLANCE else grid.zoom_to(GLANCE)
    notes = []
    for plan in plans:
        told: set[str] = set()
        for place, first in enumerate(plan.scenes):
            later = [scene for scene in plan.scenes[place + 1 :] if scene.id not in told]
            same = [scene for scene in later if _same_ground(first, scene)]
            unlike = [s.id for s in same if _differ(first, s, small, source, known)]
            told.update(unlike)
            if unlike:
                notes.append(
                    f"{', '.join((first.id, *unlike))} show the same ground on "
                    f"{plan.start:%Y-%m-%d} and differ: {first.id} is used where it shows something"
                )
    if len(notes) > MOST_NAMED:
        return [f"of {len(notes)} dates several scenes differ, as of the first one: {notes[0]}"]
    return notes


def _same_ground(one: Scene, other: Scene) -> bool:
    if one.footprint is None or other.footprint is None:
        return False
    beside = one.footprint.symmetric_difference(other.footprint).area
    return bool(beside <= BESIDE * min(one.footprint.area, other.footprint.area))


def _differ(one: Scene, other: Scene, grid: GeoBox, source: Source, known: Known) -> bool:
    """Whether two scenes show different things, in the bands of both, where both show something."""
    pair = (one, other)
    bands = available_bands(pair, source.bands)
    question = ["differ", *([scene_basis(s, grid, bands), _how(s, source)] for s in pair)]

    def unlike() -> bool:
        first, second = (_read(scene, grid, source, bands) for scene in pair)
        both = first.valid & second.valid
        if both.sum() < FEWEST:
            return False
        apart = np.abs(first.pixels - second.pixels).max(axis=0)[both] > UNLIKE
        return bool(apart.mean() >= SOME_SHARE)

    return known.of(question, lambda: asdict(_Compared(unlike())), _COMPARED).unlike


def _how(scene: Scene, source: Source) -> list[Any]:
    """What was corrected of how a scene is read."""
    offset = source.offsets.get(scene.id)
    return [source.scales.get(scene.id), offset and offset.dn, *source.fill_of(scene)]


def _read(scene: Scene, grid: GeoBox, source: Source, bands: Sequence[str]) -> Patch:
    try:
        return read_one(scene, grid, source, bands)
    except RasterError as error:
        raise SceneLostError(scene, error) from error
