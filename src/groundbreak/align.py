"""How far a look is displaced against the reference look of its site.

Many small windows are compared by phase correlation of their gradient magnitudes (edges of roads,
roofs and fields stay where they are while colours change with the season), each to a hundredth of
a pixel. Windows with little structure, or whose best shift does not raise their correlation, are
left out. Of the rest, those that agree count: leaning towers, look-alike roofs and new quarters
give other answers, each its own, so the place where most answers lie together is the displacement
of the ground. A second pass on the corrected pair measures what is left: the residual. In very
high resolution it does not vanish, since relief displaces every place a little differently.

Phase correlation with upsampling: Guizar-Sicairos et al., Optics Letters 33(2), 2008
(scikit-image's ``phase_cross_correlation``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from groundbreak.types import BoolArray, FloatArray

_Window = tuple[slice, slice]

_FEWEST = 3
"""So many windows must agree where the picture holds as many."""

_CHANCE = 24.0
"""Divided by the side of a window in pixels, the correlation that chance rarely exceeds."""


@dataclass(frozen=True)
class AlignConfig:
    """What is compared, and when the answer is believed. Lengths in pixels of the grid."""

    window_px: tuple[int, int] = (96, 256)
    """Side of the windows: a quarter of the picture's, within these bounds."""
    least_px: int = 32
    """A picture smaller than this shows too little."""
    max_shift_px: float = 8.0
    """A larger displacement is not one of registration."""
    max_windows: int = 60
    """At most about so many windows: the cost is bounded."""
    min_usable: float = 0.6
    """Least usable share of a window."""
    min_correlation: float = 0.15
    """Least correlation of the edges of a window once it is aligned; more for a window of fewer
    than 160 pixels a side, where unrelated pictures come that far by chance."""
    agree_px: float = 1.5
    """Windows agree when their shifts are so near to each other."""
    min_agreeing: float = 0.3
    """Least share of the compared windows that must agree."""
    max_error_px: float = 0.4
    """Largest standard error of the shift, from the spread of the windows that agree."""
    blur_px: float = 1.0
    """Smoothing before gradients are taken: noise has edges too."""
    upsample: int = 50
    """Of the correlation peak: shifts come in 1/50 pixel."""


@dataclass(frozen=True)
class Alignment:
    """The content of the moving look lies ``dx`` to the right and ``dy`` below the reference's.

    ``residual_px`` is the median length of the shifts that are left in the windows that agree, NaN
    where nothing could be measured. ``reason`` says why it is not trusted, and is empty when it
    is.
    """

    dx: float
    dy: float
    residual_px: float
    trusted: bool
    reason: str = ""


@dataclass(frozen=True)
class _Measured:
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


def estimate_shift(
    reference: FloatArray,
    moving: FloatArray,
    usable: BoolArray,
    config: AlignConfig | None = None,
) -> Alignment:
    """Estimate the displacement of one look against another of the same grid.

    Args:
        reference: (bands, height, width).
        moving: the same shape.
        usable: (height, width), True where both looks are usable.
        config: see ``AlignConfig``.

    Returns:
        the displacement of the content of ``moving``, and whether to believe it.

    Raises:
        ValueError: shapes differ.
    """
    if reference.shape != moving.shape or usable.shape != reference.shape[1:]:
        raise ValueError(f"shapes differ: {reference.shape}, {moving.shape}, {usable.shape}")
    config = config or AlignConfig()
    if min(usable.shape) < config.least_px:
        return _untrusted(f"smaller than {config.least_px} pixels")
    windows = _windows(usable, config)
    edges = _edges(reference, usable, config)
    cuts = [_cut(edges[window]) for window in windows]
    first = _measure(cuts, _edges(moving, usable, config), windows, config)
    if len(first.shifts) == 0:
        return _untrusted("too little stable structure to compare")
    dy, dx = first.median
    # Edges are those of the brightness: moving it alone is a third of the work.
    moved = shift_image(moving.mean(axis=0, keepdims=True), dx, dy)
    left = _measure(cuts, _edges(moved, usable, config), windows, config)
    if len(left.shifts) == 0:
        return _untrusted("nothing is alike after the correction")
    # What the second pass finds is measured on better overlap: take it in.
    dy, dx = dy + left.median[0], dx + left.median[1]
    residual = float(np.median(np.hypot(*(left.shifts - left.median).T)))
    reason = _doubt(float(np.hypot(dx, dy)), left, config)
    return Alignment(float(dx), float(dy), residual, not reason, reason)


def _doubt(length: float, left: _Measured, config: AlignConfig) -> str:
    """Why a shift is not to be believed; empty if it is."""
    if length > config.max_shift_px:
        return f"a shift of {length:.1f} pixels is more than {config.max_shift_px:g}"
    agreeing = len(left.shifts)
    if agreeing < max(config.min_agreeing * left.compared, min(_FEWEST, left.windows)):
        return f"the windows disagree: {agreeing} of {left.compared} find the same shift"
    if left.error > config.max_error_px:
        return f"the windows disagree: the shift is uncertain by {left.error:.1f} pixels"
    return ""


def shift_image(pixels: FloatArray, dx: float, dy: float) -> FloatArray:
    """Take a displacement out of a picture: what lies at p + (dx, dy) moves to p.

    Args:
        pixels: (bands, height, width).
        dx: pixels to the right.
        dy: pixels down.

    Returns:
        the same shape; the border is repeated where nothing moves in.
    """
    moved = [ndimage.shift(band, (-dy, -dx), order=3, mode="nearest") for band in pixels]
    return np.stack(moved).astype(np.float32)


def _edges(pixels: FloatArray, usable: BoolArray, config: AlignConfig) -> FloatArray:
    """Gradient magnitude of the smoothed brightness, 0 at and beside what is not usable."""
    brightness = pixels.mean(axis=0)
    whole = bool(usable.all())
    if not whole:
        fill = float(np.median(brightness[usable])) if usable.any() else 0.0
        brightness = np.where(usable, brightness, fill)
    smooth = ndimage.gaussian_filter(brightness, config.blur_px)
    gradient = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    if not whole:
        reach = int(np.ceil(3 * config.blur_px)) + 1
        inner = ndimage.binary_erosion(usable, iterations=reach, border_value=1)
        gradient = np.where(inner, gradient, 0.0)
    # The square root keeps one bright roof from deciding alone.
    edges: FloatArray = np.sqrt(gradient).astype(np.float32)
    return edges


def _measure(
    reference: Sequence[_Cut], moving: FloatArray, windows: Sequence[_Window], config: AlignConfig
) -> _Measured:
    """Shifts of the edges of the moving look in the windows that the reference was cut into."""
    from skimage.registration import phase_cross_correlation

    shifts = []
    for one, window in zip(reference, windows, strict=True):
        other = _cut(moving[window])
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
    return _Measured(_agreeing(found_shifts, config.agree_px), len(found_shifts), len(windows))


@dataclass(frozen=True)
class _Cut:
    """A window of the edges of a look, faded out at its border, and its Fourier transform."""

    edges: FloatArray
    spectrum: NDArray[np.complex64]


def _cut(edges: FloatArray) -> _Cut:
    taper = np.outer(*map(np.hanning, edges.shape)).astype(np.float32)
    faded = (edges - edges.mean()) * taper
    return _Cut(faded, fft.fftn(faded))


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


def _windows(usable: BoolArray, config: AlignConfig) -> list[_Window]:
    """Windows with enough usable pixels, spread evenly over the picture."""
    height, width = usable.shape
    side = int(np.clip(min(height, width) // 4, *config.window_px))
    found = [
        (slice(y, y + side), slice(x, x + side))
        for y in _starts(height, side)
        for x in _starts(width, side)
    ]
    found = [window for window in found if usable[window].mean() >= config.min_usable]
    step = -(-len(found) // config.max_windows)
    return found[:: max(1, step)]


def _starts(length: int, window: int) -> list[int]:
    """First pixels of windows that overlap by half."""
    if length <= window:
        return [0]
    count = -(-(length - window) // (window // 2)) + 1
    return [int(start) for start in np.linspace(0, length - window, count).round()]


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    spread = float(one.std() * other.std())
    return (
        0.0 if spread == 0 else float(((one - one.mean()) * (other - other.mean())).mean()) / spread
    )


def _untrusted(reason: str) -> Alignment:
    return Alignment(0.0, 0.0, float("nan"), trusted=False, reason=reason)
