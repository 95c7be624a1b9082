"""Smooth random fields."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundbreak.types import FloatArray


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> FloatArray:
    """Random field with zero mean and unit deviation, correlated over about ``scale_px``."""
    step = max(1.0, scale_px / 2)
    coarse = [int(np.ceil(side / step)) + 4 for side in shape]
    field = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0, mode="wrap")
    field /= max(float(field.std()), 1e-9)
    if step > 1.0:
        field = ndimage.zoom(field, step, order=1)
    return field[: shape[0], : shape[1]].astype(np.float32)


def rough(rng: np.random.Generator, distance: FloatArray, px: float) -> FloatArray:
    """A signed distance whose zero line wanders by about ``px``."""
    field = smooth_noise(rng, distance.shape, 5.0) + 0.5 * smooth_noise(rng, distance.shape, 2.0)
    return (distance + px * field).astype(np.float32)
