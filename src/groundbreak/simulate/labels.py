"""Exact label rasters of two days of a world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.buildings import Use
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.layers import rect_pixels
from groundbreak.simulate.works import UNDER_WAY, Stage, Works
from groundbreak.types import BoolArray, MaskValue

_STANDS = frozenset({Stage.STANDING, Stage.WATER})


def change_of(item: Works, before: float, after: float) -> MaskValue:
    """What an object's footprint is labelled between two days.

    Works under way at either day leave it open whether the object is there, and whether a
    greenhouse is a building is a matter of taste: ``IGNORE``.
    """
    first, last = item.stage(before), item.stage(after)
    if first == last:
        return MaskValue.NONE
    greenhouse = item.building is not None and item.building.use is Use.GREENHOUSE
    if greenhouse or first in UNDER_WAY or last in UNDER_WAY:
        return MaskValue.IGNORE
    was, is_now = first in _STANDS, last in _STANDS
    if was == is_now:
        return MaskValue.NONE
    if item.slip is not None:
        return MaskValue.DOCKING_SLIP if is_now else MaskValue.IGNORE
    return MaskValue.NEW_BUILDING if is_now else MaskValue.DEMOLITION


def pair_label(
    grid: DrawGrid, works: Sequence[Works], before: float, after: float, factor: int
) -> NDArray[np.uint8]:
    """Label raster of two days.

    Args:
        grid: the drawing raster.
        works: the objects.
        before: the earlier day.
        after: the later day.
        factor: drawing pixels per label pixel; a label pixel is covered when half of it is.

    Returns:
        uint8 (h / factor, w / factor) of ``MaskValue``; where a building replaced another on
        the same pixel the direction is unknown, 254.
    """
    h, w = grid.shape
    result = np.zeros((h // factor, w // factor), np.uint8)
    for item in works:
        value = change_of(item, before, after)
        if value == MaskValue.NONE:
            continue
        for window, covered in _covered(grid, item, factor):
            old = result[window]
            both = ((old == MaskValue.NEW_BUILDING) & (value == MaskValue.DEMOLITION)) | (
                (old == MaskValue.DEMOLITION) & (value == MaskValue.NEW_BUILDING)
            )
            new = np.where(both, MaskValue.UNKNOWN_DIRECTION, value)
            result[window] = np.where(covered, new, old)
    return result


def _covered(
    grid: DrawGrid, item: Works, factor: int
) -> Iterator[tuple[tuple[slice, slice], BoolArray]]:
    """The label window around an object, and its pixels that are covered by half at least."""
    found = [pixels for rect in item.rects if (pixels := rect_pixels(grid, rect)) is not None]
    if not found:
        return
    rows, cols = (
        slice(
            min(pixels.window[axis].start for pixels in found) // factor,
            -(-max(pixels.window[axis].stop for pixels in found) // factor),
        )
        for axis in (0, 1)
    )
    top, left = rows.start * factor, cols.start * factor
    high, wide = rows.stop - rows.start, cols.stop - cols.start
    fine = np.zeros((high * factor, wide * factor), np.float32)
    for pixels in found:
        y, x = (window.start for window in pixels.window)
        h, w = pixels.cover.shape
        part = fine[y - top : y - top + h, x - left : x - left + w]
        np.maximum(part, pixels.cover, out=part)
    share = fine.reshape(high, factor, wide, factor).mean((1, 3))
    yield (rows, cols), share >= 0.5
