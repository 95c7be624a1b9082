"""Where a picture lies on another as a whole: the correlations of all windows added up.

A window alone often finds a likeness by chance, in a field, a quarter of equal roofs, or where
nothing is left of what was there. Added up, what all windows have in common stands out and chance
averages out: a picture that lies elsewhere by some pixels shows one peak there, and one that does
not belong there at all, or is turned, shows none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from groundbreak.align.windows import Cut

_BLUR_PX = 1.5
"""Smoothing of the sum: relief displaces every window a little differently."""


@dataclass(frozen=True)
class Votes:
    """What the windows say together. Strengths are in robust standard deviations of the sum.

    Attributes:
        voters: windows that had any structure.
        dx: the content of the moving picture lies so many whole pixels to the right,
        dy: and below; where the sum is greatest.
        strength: of that peak.
        in_place: the strength of the highest place within ``nearby`` pixels of no displacement.
        around: the same within ``doubtful`` pixels.
    """

    voters: int
    dx: int
    dy: int
    strength: float
    in_place: float
    around: float

    @property
    def length(self) -> float:
        """Of the displacement, in pixels."""
        return math.hypot(self.dx, self.dy)


def count_votes(
    reference: Sequence[Cut], moving: Sequence[Cut], nearby: float, doubtful: float
) -> Votes | None:
    """Add the correlations of windows up, each window having the same weight.

    Args:
        reference: windows of the one picture.
        moving: the same windows of the other one.
        nearby: pixels; see ``Votes``.
        doubtful: likewise.

    Returns:
        What they say; None if none had any structure.
    """
    total, count = None, 0
    for one, other in zip(reference, moving, strict=True):
        size = float(one.edges.std() * other.edges.std())
        if size == 0:
            continue
        product = np.conj(one.spectrum) * other.spectrum / np.float32(size * one.edges.size)
        total, count = product if total is None else total + product, count + 1
    if total is None:
        return None
    summed = fft.fftshift(fft.ifftn(total).real) / count
    summed = ndimage.gaussian_filter(summed, _BLUR_PX, mode="wrap")
    middle = float(np.median(summed))
    spread = 1.4826 * float(np.median(np.abs(summed - middle)))
    if spread == 0:
        return None
    strength = (summed - middle) / spread
    centre = [side // 2 for side in summed.shape]
    down, right = (np.arange(n) - c for n, c in zip(summed.shape, centre, strict=True))
    far = np.hypot(down[:, None], right[None, :])
    peak = np.unravel_index(int(np.argmax(strength)), strength.shape)
    return Votes(
        voters=count,
        dx=int(right[peak[1]]),
        dy=int(down[peak[0]]),
        strength=float(strength[peak]),
        in_place=float(strength[far <= nearby].max()),
        around=float(strength[far <= doubtful].max()),
    )
