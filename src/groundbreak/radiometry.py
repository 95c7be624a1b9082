"""Makes two looks radiometrically comparable without destroying change.

One line a band maps the moving look onto the reference. It is fitted, again and again, to the
ground that lies near it in all bands together (Tukey's biweight); what changed lies off the line
and soon counts for nothing, so a new building does not bend it. The slope is the reduced major
axis: both looks carry noise, and a regression of one on the other would flatten the contrast.

IR-MAD (Canty and Nielsen, RSE 112(3), 2008), the usual way to find invariant ground, was tried and
left: between seasons its weights shrink to a hundredth of the ground and the line follows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import BoolArray, FloatArray

_Float64 = NDArray[np.float64]

_DARK, _BRIGHT = 0.004, 0.996  # beyond, an 8-bit value is clipped and says nothing about gain
_NOISE = 1e-3  # a residual below this is no residual; keeps the weights finite on equal looks
_TUKEY = 3.0  # residuals beyond so many robust deviations count for nothing


@dataclass(frozen=True)
class RadiometryConfig:
    """What the line is fitted to, and when it is believed."""

    block_px: int = 4
    """Side of the blocks that are averaged first, so that a sub-pixel shift matters less."""
    max_samples: int = 20_000
    """At most about so many blocks are looked at, evenly spread: the cost is bounded."""
    min_samples: int = 100
    """Fewer usable blocks than this are not enough to say anything."""
    iterations: int = 30
    """Of the reweighting at most; it ends earlier when the slopes settle."""
    min_correlation: float = 0.7
    """Least correlation on unchanged ground, median of the bands."""
    min_band_correlation: float = 0.6
    """A band below stays as it is: in near infrared, seasons change the order of things."""
    gain_bounds: tuple[float, float] = (0.4, 2.5)
    """A gain outside is not a difference of light, air or display any more."""
    rescale_from: float | None = 2.0
    """Looks that differ so many times in brightness and in contrast alike are of other scales, as
    a picture stretched for display and one in reflectance are: they are brought to one first.
    None: never, since a look half under cloud is brighter and richer in contrast too."""


@dataclass(frozen=True)
class Radiometry:
    """reference = gain * moving + offset, per band.

    When not ``trusted`` it is the identity, or one factor for all bands where the scales differ;
    ``reason`` says why it is not trusted, and is empty when it is.
    """

    gain: FloatArray
    offset: FloatArray
    trusted: bool
    reason: str = ""


def match(
    reference: FloatArray,
    moving: FloatArray,
    usable: BoolArray,
    config: RadiometryConfig | None = None,
    colours: Sequence[int] = (),
) -> Radiometry:
    """Find the line per band that maps ``moving`` onto ``reference`` on unchanged ground.

    Args:
        reference: (bands, height, width) in [0, 1].
        moving: the same bands on the same grid.
        usable: (height, width), True where both are usable.
        config: thresholds; the defaults when None.
        colours: numbers of the bands that make up a picture's colours: a line for some of them
            alone would tint it, so all of them stay as they are where one must.

    Returns:
        The lines; with a reason when they cannot be trusted, see `Radiometry`.

    Raises:
        ValueError: if the shapes differ.
    """
    if reference.shape != moving.shape or reference.shape[1:] != usable.shape:
        raise ValueError(
            f"expected equal shapes, got {reference.shape}, {moving.shape} and {usable.shape}"
        )
    config = config or RadiometryConfig()
    bands = len(reference)
    x, y = _samples(moving, reference, usable, config)
    if len(x) < config.min_samples:
        return _identity(bands, f"only {len(x)} usable blocks of ground to compare")
    factor = _factor(x, y, config.rescale_from)
    fitted = _fit(x * factor, y, config.iterations)
    if fitted is None:
        return _identity(bands, "the two looks have nothing in common", factor)
    gain, offset, correlation = fitted
    typical = float(np.median(correlation))
    if typical < config.min_correlation:
        return _identity(bands, f"unchanged ground correlates by {typical:.2f} only", factor)
    kept = correlation >= config.min_band_correlation
    kept[list(colours)] &= kept[list(colours)].all()
    gain, offset = np.where(kept, gain, 1.0), np.where(kept, offset, 0.0)
    low, high = config.gain_bounds
    if gain.min() < low or gain.max() > high:
        worst = gain[np.argmax(np.abs(np.log(gain)))]
        return _identity(bands, f"a gain of {worst:.2f} is outside {low:g} to {high:g}", factor)
    lines = (gain * factor).astype(np.float32), offset.astype(np.float32)
    return Radiometry(*lines, trusted=True)


def apply(pixels: FloatArray, radiometry: Radiometry) -> FloatArray:
    """Map pixels (bands, height, width) by the lines; the result is clipped to [0, 1]."""
    mapped = pixels * radiometry.gain[:, None, None] + radiometry.offset[:, None, None]
    return np.clip(mapped, 0.0, 1.0).astype(np.float32, copy=False)


def _identity(bands: int, reason: str, factor: float = 1.0) -> Radiometry:
    gain = np.full(bands, factor, np.float32)
    return Radiometry(gain, np.zeros(bands, np.float32), False, reason)


def _factor(x: _Float64, y: _Float64, rescale_from: float | None) -> float:
    """How many times as bright y is, where it differs as much in contrast; else 1."""
    if rescale_from is None:
        return 1.0
    (low_x, mid_x, high_x), (low_y, mid_y, high_y) = (
        np.percentile(v, [25, 50, 75], axis=0) for v in (x, y)
    )
    bright = float(np.median(mid_y / mid_x))
    contrast = float(np.median((high_y - low_y) / np.maximum(high_x - low_x, 1e-6)))
    alike = min(bright, contrast) >= rescale_from or max(bright, contrast) <= 1 / rescale_from
    return bright if alike else 1.0


def _samples(
    moving: FloatArray, reference: FloatArray, usable: BoolArray, config: RadiometryConfig
) -> tuple[_Float64, _Float64]:
    """Means of blocks that are usable throughout: two arrays (samples, bands)."""
    height, width = usable.shape
    # Blocks shrink on a small picture, where every sample is needed.
    enough = int(np.sqrt(height * width / (4 * config.min_samples)))
    side = max(1, min(config.block_px, enough))
    rows, cols = height // side, width // side
    step = max(1, int(np.ceil(np.sqrt(rows * cols / config.max_samples))))

    def blocks(array: NDArray[np.generic]) -> NDArray[np.generic]:
        """(..., h, w) → (..., rows, side, cols, side), of every ``step``-th row and column."""
        cut = array[..., : rows * side, : cols * side]
        split = cut.reshape(*array.shape[:-2], rows, side, cols, side)
        return split[..., ::step, :, ::step, :]

    whole = blocks(usable).all(axis=(-3, -1))
    x, y = (
        blocks(array).mean(axis=(-3, -1), dtype=np.float64)[:, whole].T
        for array in (moving, reference)
    )
    inside = np.all([((v > _DARK) & (v < _BRIGHT)).all(axis=1) for v in (x, y)], axis=0)
    return x[inside], y[inside]


def _fit(x: _Float64, y: _Float64, iterations: int) -> tuple[_Float64, _Float64, _Float64] | None:
    """Gain, offset and correlation per band on the ground that did not change; None if none."""
    low_x, mid_x, high_x = np.percentile(x, [25, 50, 75], axis=0)
    low_y, mid_y, high_y = np.percentile(y, [25, 50, 75], axis=0)
    if (high_x - low_x < 1e-4).any() or (high_y - low_y < 1e-4).any():
        return None
    gain = (high_y - low_y) / (high_x - low_x)
    offset = mid_y - gain * mid_x
    correlation = np.zeros_like(gain)
    for _ in range(iterations):
        residual = (y - gain * x - offset) / np.hypot(1.0, gain)
        scale = 1.4826 * np.median(np.abs(residual - np.median(residual, axis=0)), axis=0)
        distance = np.sqrt(((residual / (scale + _NOISE)) ** 2).mean(axis=1))
        weights = np.clip(1.0 - (distance / _TUKEY) ** 2, 0.0, None) ** 2
        before = gain
        fitted = _line(x, y, weights)
        if fitted is None:
            return None
        gain, offset, correlation = fitted
        if np.abs(gain - before).max() < 1e-3:
            break
    return gain, offset, correlation


def _line(
    x: _Float64, y: _Float64, weights: _Float64
) -> tuple[_Float64, _Float64, _Float64] | None:
    """Weighted reduced major axis y = gain * x + offset per band; None where it would fall."""
    total = weights.sum()
    if total <= 0:
        return None
    w = weights / total
    mean_x, mean_y = w @ x, w @ y
    xc, yc = x - mean_x, y - mean_y
    sxx, syy, sxy = w @ xc**2, w @ yc**2, w @ (xc * yc)
    if (sxx <= 0).any() or (syy <= 0).any() or np.median(sxy) <= 0:
        return None
    gain = np.sqrt(syy / sxx)
    return gain, mean_y - gain * mean_x, sxy / np.sqrt(sxx * syy)
