"""Sunlight: cast shadows and shading of slopes."""

from __future__ import annotations

from math import hypot

import numpy as np

from groundbreak.simulate.conditions import Conditions
from groundbreak.types import FloatArray


def shadows(height: FloatArray, step: float, conditions: Conditions) -> FloatArray:
    """Share of direct sun that reaches each pixel, 0 to 1.

    The horizon towards the sun is found by doubling: the highest obstacle within 2k steps is the
    higher of those within k steps here and within k steps k steps further on.

    Args:
        height: (h, w) top of everything, metres.
        step: pixel size in metres.
        conditions: where the sun stands.
    """
    sun_x, sun_y, _ = conditions.sun
    flat = hypot(sun_x, sun_y)
    unit_x, unit_y = sun_x / flat, sun_y / flat
    drop = step / conditions.shadow_per_metre
    span = float(np.ptp(height)) / drop
    horizon = _shift(height, unit_x, unit_y) - np.float32(drop)
    reach = 1
    while reach < span and reach < max(height.shape):
        further = _shift(horizon, unit_x * reach, unit_y * reach) - np.float32(drop * reach)
        np.maximum(horizon, further, out=horizon)
        reach *= 2
    soft = np.float32(0.35 + 0.25 * step)
    return 1 - np.clip((horizon - height) / soft, 0, 1)


def illuminate(
    albedo: FloatArray,
    slope_x: FloatArray,
    slope_y: FloatArray,
    sunlit: FloatArray,
    conditions: Conditions,
) -> FloatArray:
    """Reflected light relative to a flat white ground, (h, w, bands)."""
    sun_x, sun_y, sun_z = conditions.sun
    facing = (sun_z - slope_x * sun_x - slope_y * sun_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    direct = np.clip(facing / sun_z, 0, 2.2) * sunlit
    sky = np.float32(conditions.sky)
    blue = np.array([0.88, 0.99, 1.18, 0.6], np.float32)[: albedo.shape[2]]
    light = (1 - sky) * direct[..., None] + sky * blue
    return albedo * light


def _shift(field: FloatArray, dx: float, dy: float) -> FloatArray:
    """``field`` as seen from (dx, dy) pixels away, edges repeated."""
    x, y = round(dx), round(dy)
    h, w = field.shape
    rows = np.clip(np.arange(h) + y, 0, h - 1)
    cols = np.clip(np.arange(w) + x, 0, w - 1)
    return field[rows[:, None], cols[None, :]]
