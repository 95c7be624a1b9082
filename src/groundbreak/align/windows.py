"""Windows of the edges of a picture, ready to be correlated.

Edges of roads, roofs and fields stay where they are while colours change with the season.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from groundbreak.types import BoolArray, FloatArray

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Edges:
    """How steep a picture is: ``strength`` (height, width) is the root of the gradient.

    It is 0 where ``known`` (height, width) is False: what is not usable, or beside such.
    """

    strength: FloatArray
    known: BoolArray

    def contrast(self, window: Window) -> float:
        """Standard deviation of the gradient in a window, per pixel times 8 (as Sobel weighs it).

        Water in calm weather has 0.005 to 0.015 in reflectance, fields and towns 0.02 to 0.2.
        """
        known = self.strength[window][self.known[window]]
        return float((known**2).std()) if known.size else 0.0


@dataclass(frozen=True)
class Cut:
    """A window of edges about their mean, faded out at its border, and its Fourier transform."""

    edges: FloatArray
    spectrum: NDArray[np.complex64]


def find_edges(pixels: FloatArray, usable: BoolArray, blur_px: float) -> Edges:
    """Gradient magnitude of the smoothed brightness.

    Args:
        pixels: (bands, height, width).
        usable: (height, width).
        blur_px: standard deviation of the smoothing: noise has edges too.
    """
    brightness = pixels.mean(axis=0)
    whole = bool(usable.all())
    if not whole:
        fill = float(np.median(brightness[usable])) if usable.any() else 0.0
        brightness = np.where(usable, brightness, fill)
    smooth = ndimage.gaussian_filter(brightness, blur_px)
    gradient = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    known = usable
    if not whole:
        reach = int(np.ceil(3 * blur_px)) + 1
        known = ndimage.binary_erosion(usable, iterations=reach, border_value=1)
        gradient = np.where(known, gradient, 0.0)
    # The square root keeps one bright roof from deciding alone.
    return Edges(np.sqrt(gradient).astype(np.float32), known)


def cut(edges: Edges, window: Window) -> Cut:
    """Cut a window out; what is not known has no say in it."""
    strength, known = edges.strength[window], edges.known[window]
    # Gaps are the same in both pictures: at any other level than the mean they would be the
    # strongest structure that the two have in common, at no displacement.
    mean = strength[known].mean() if known.any() else np.float32(0)
    taper = np.outer(*map(np.hanning, strength.shape)).astype(np.float32)
    faded = np.where(known, strength - mean, np.float32(0)) * taper
    return Cut(faded, fft.fftn(faded))


def spread_windows(usable: BoolArray, side: int, min_usable: float, most: int) -> list[Window]:
    """Square windows spread evenly over a picture, overlapping by half.

    Args:
        usable: (height, width).
        side: of the windows in pixels.
        min_usable: least usable share of a window.
        most: at most about so many windows.
    """
    height, width = usable.shape
    found = [
        (slice(y, y + side), slice(x, x + side))
        for y in _starts(height, side)
        for x in _starts(width, side)
    ]
    found = [window for window in found if usable[window].mean() >= min_usable]
    step = -(-len(found) // most)
    return found[:: max(1, step)]


def _starts(length: int, window: int) -> Sequence[int]:
    """First pixels of windows that overlap by half."""
    if length <= window:
        return [0]
    count = -(-(length - window) // (window // 2)) + 1
    return [int(start) for start in np.linspace(0, length - window, count).round()]
