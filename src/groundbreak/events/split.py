"""Adjacent buildings that a thin bridge of probability joins are taken apart, cautiously."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import BoolArray, FloatArray

DEPTH = 0.2
"""A valley must lie at least this much below the lower of the two peaks it parts."""
LEVELS = 12
"""Thresholds tried between the lowest and the highest probability of the patch."""
SMOOTH_PX = 1.0
"""Standard deviation of the smoothing: single dark pixels are no valley."""


def split_component(
    values: FloatArray, mask: BoolArray, least_px: float
) -> NDArray[np.int32] | None:
    """Part a patch along probability valleys if it is clearly several buildings.

    The patch is cut at rising thresholds (as a component tree is built); parts count if they are
    at least half the least area and their peak stands `DEPTH` above the cut. A watershed gives
    the pixels of the valley to the parts.

    Args:
        values: probability of the kind, (height, width).
        mask: pixels of the patch, (height, width).
        least_px: least area of a building in pixels.

    Returns:
        Labels 1..n (height, width), 0 outside the patch; None if the patch is one building.
    """
    from scipy import ndimage

    if mask.sum() < 2 * least_px:
        return None
    # Normalised smoothing: what lies outside the patch must not pull its rim down.
    weight = ndimage.gaussian_filter(mask.astype(np.float32), SMOOTH_PX)
    smooth = ndimage.gaussian_filter(np.where(mask, values, 0.0), SMOOTH_PX)
    smooth = np.where(mask, smooth / np.maximum(weight, 1e-6), 0.0).astype(np.float32)
    low, high = float(smooth[mask].min()), float(smooth[mask].max())
    best: NDArray[np.int32] | None = None
    parts = 1
    for level in np.linspace(low, high - DEPTH, LEVELS) if high - low > DEPTH else []:
        labels, count = ndimage.label(mask & (smooth >= level))
        if count < 2:
            continue
        index = np.arange(1, count + 1)
        peaks = np.asarray(ndimage.maximum(smooth, labels, index))
        pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        good = index[(peaks - level >= DEPTH) & (pixels >= max(least_px / 2, 4))]
        if len(good) > parts:
            parts = len(good)
            number = np.zeros(count + 1, dtype=np.int32)
            number[good] = np.arange(1, parts + 1)
            best = number[labels]
    if best is None:
        return None
    from skimage.segmentation import watershed

    return np.asarray(watershed(-smooth, markers=best, mask=mask), dtype=np.int32)
