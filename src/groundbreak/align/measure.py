"""How far the content of each of many windows is displaced, to a fraction of a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundbreak.align.config import AlignConfig
from groundbreak.align.windows import Cut
from groundbreak.types import FloatArray

_CHANCE = 24.0
"""Divided by the side of a window in pixels, the correlation that chance rarely exceeds."""


@dataclass(frozen=True)
class Measured:
    """Shifts (n, 2) as (dy, dx) of the windows that agree.

    ``compared`` is the number of those that found any shift, ``windows`` that of all.
    """

    shifts: NDArray[np.float64]
    compared: int
    windows: int

    @property
    def median(self) -> NDArray[np.float64]:
        """(dy, dx)."""
        median: NDArray[np.float64] = np.median(self.shifts, axis=0)
        return median

    @property
    def error(self) -> float:
        """Standard error of the median in pixels; windows overlap, so half of them count."""
        off = np.abs(self.shifts - self.median)
        spread = 1.4826 * float(np.hypot(*np.median(off, axis=0)))
        return 1.2533 * spread / np.sqrt(max(1.0, len(self.shifts) / 2))


def measure(fixed: Sequence[Cut], moving: Sequence[Cut], config: AlignConfig) -> Measured:
    """Shifts of the edges of the moving look in the same windows of two pictures."""
    from skimage.registration import phase_cross_correlation

    shifts = []
    for one, other in zip(fixed, moving, strict=True):
        if not (one.edges.any() and other.edges.any()):
            continue
        found, _, _ = phase_cross_correlation(
            one.spectrum,
            other.spectrum,
            space="fourier",
            upsample_factor=config.upsample,
            normalization=None,
        )
        shift = -np.asarray(found)
        if np.hypot(*shift) > 2 * config.max_shift_px:
            continue
        before = _correlation(one.edges, other.edges)
        after = _correlation(one.edges, _moved(other.edges, *shift))
        least = max(config.min_correlation, _CHANCE / min(one.edges.shape))
        if after >= least and after >= before - 0.02:
            shifts.append(shift)
    found_shifts = np.array(shifts).reshape(-1, 2)
    return Measured(_agreeing(found_shifts, config.agree_px), len(found_shifts), len(fixed))


def _moved(picture: FloatArray, down: float, right: float) -> FloatArray:
    """The picture (height, width) read at p + (right, down), linearly; 0 beyond its border."""
    return _moved_down(_moved_down(picture, down).T, right).T


def _moved_down(picture: FloatArray, by: float) -> FloatArray:
    height, first = len(picture), math.floor(by)
    share = np.float32(by - first)
    reach = first + int(share > 0)  # the furthest row that is looked at from row 0
    start, stop = max(0, -first), height - max(0, reach)
    moved = np.zeros_like(picture)
    if start < stop:
        moved[start:stop] = picture[start + first : stop + first] * (1 - share)
        if share > 0:
            moved[start:stop] += picture[start + first + 1 : stop + first + 1] * share
    return moved


def _agreeing(shifts: NDArray[np.float64], agree_px: float) -> NDArray[np.float64]:
    """The shifts around the place where most of them lie together."""
    if len(shifts) == 0:
        return shifts
    apart = np.hypot(*(shifts[:, None] - shifts[None]).transpose(2, 0, 1))
    densest = int(np.argmax((apart <= agree_px / 2).sum(axis=1)))
    near: NDArray[np.float64] = shifts[apart[densest] <= agree_px]
    return near


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    spread = float(one.std() * other.std())
    return (
        0.0 if spread == 0 else float(((one - one.mean()) * (other - other.mean())).mean()) / spread
    )
