"""Exact label rasters of two days of a world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.buildings import Use
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.layers import Rect, rect_pixels
from groundbreak.simulate.works import UNDER_WAY, Stage, Works
from groundbreak.types import FloatArray, MaskValue

COVERED, TOUCHED = 0.5, 0.2
"""Shares of a pixel from which on it is labelled, and from which on it is left open."""

_STANDS = frozenset({Stage.STANDING, Stage.WATER})
_STOOD = _STANDS | {Stage.STRIPPED}
"""What an earlier day shows as there still: a demolition is done when the walls are down."""


def change_of(item: Works, before: float, after: float) -> MaskValue:
    """What an object's footprint is labelled between two days.

    Works under way at the later day leave it open whether the object is there, and whether a
    greenhouse is a building is a matter of taste: ``IGNORE``. At the earlier day a building
    site, or a pit, is no object yet, and what is being torn down is one still: else a series in
    which looks show the works would never show the change.
    """
    first, last = item.stage(before), item.stage(after)
    if first == last:
        return MaskValue.NONE
    greenhouse = item.building is not None and item.building.use is Use.GREENHOUSE
    if greenhouse or last in UNDER_WAY:
        return MaskValue.IGNORE
    was, is_now = first in _STOOD, last in _STANDS
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
        factor: drawing pixels per label pixel; a label pixel is covered when half of it is, and
            left open when a fifth of it is.

    Returns:
        uint8 (h / factor, w / factor) of ``MaskValue``; where a building replaced another on
        the same pixel the direction is unknown, 254; piers that came or went with a berth are
        255.
    """
    h, w = grid.shape
    result = np.zeros((h // factor, w // factor), np.uint8)
    for item in works:
        value = change_of(item, before, after)
        if value == MaskValue.NONE:
            continue
        for window, share in _shares(grid, item.rects, factor):
            old = result[window]
            both = ((old == MaskValue.NEW_BUILDING) & (value == MaskValue.DEMOLITION)) | (
                (old == MaskValue.DEMOLITION) & (value == MaskValue.NEW_BUILDING)
            )
            new = np.where(both, MaskValue.UNKNOWN_DIRECTION, value)
            result[window] = np.where(share >= COVERED, new, _left_open(old, share))
        for window, share in _shares(grid, item.flanks, factor):
            result[window] = _left_open(result[window], share)
    return result


def _left_open(label: NDArray[np.uint8], share: FloatArray) -> NDArray[np.uint8]:
    """``IGNORE`` where something covers a part of a pixel that nothing else changed."""
    part = (share >= TOUCHED) & (label == MaskValue.NONE)
    return np.where(part, np.uint8(MaskValue.IGNORE), label)


def _shares(
    grid: DrawGrid, rects: Sequence[Rect], factor: int
) -> Iterator[tuple[tuple[slice, slice], FloatArray]]:
    """The label window around some rectangles, and the covered share of its pixels."""
    found = [pixels for rect in rects if (pixels := rect_pixels(grid, rect)) is not None]
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
    yield (rows, cols), fine.reshape(high, factor, wide, factor).mean((1, 3))
