"""An oblique view: what stands high is displaced, and walls come into sight."""

from __future__ import annotations

from math import hypot

import numpy as np

from groundbreak.simulate.conditions import Conditions
from groundbreak.types import FloatArray


def lean(
    radiance: FloatArray,
    height: FloatArray,
    solid: FloatArray,
    step: float,
    conditions: Conditions,
) -> FloatArray:
    """The scene as seen from an angle.

    Planes of equal height are laid over each other from the ground up; a pixel of a plane that
    lies below a roof is a wall.

    Args:
        radiance: (h, w, bands) as seen from the zenith.
        height: (h, w) metres above the ground.
        solid: (h, w), > 0.5 for what has walls; a tree shows its leaves from the side too.
        step: pixel size in metres.
        conditions: the lean and the sun.
    """
    lean_x, lean_y = conditions.lean
    tilt = hypot(lean_x, lean_y)
    highest = float(height.max())
    if highest * tilt < 0.75 * step:
        return radiance
    rise = step / tilt
    levels = int(np.ceil(highest / rise))
    sun_x, sun_y, sun_z = conditions.sun
    # The wall in sight faces away from the direction in which things lean.
    facing = max(0.0, -(lean_x * sun_x + lean_y * sun_y) / tilt) / sun_z
    wall = 0.2 * min(conditions.sky + facing, 1.6)
    seen = radiance.copy()
    h, w = height.shape
    for level in range(1, levels + 1):
        top = level * rise
        x, y = round(level * lean_x / tilt), round(level * lean_y / tilt)
        rows = slice(max(y, 0), min(h + y, h)), slice(max(-y, 0), min(h - y, h))
        cols = slice(max(x, 0), min(w + x, w)), slice(max(-x, 0), min(w - x, w))
        above = height[rows[1], cols[1]]
        hit = above > top - rise / 2
        if not hit.any():
            continue
        target, source = seen[rows[0], cols[0]], radiance[rows[1], cols[1]]
        is_wall = hit & (above > top + rise / 2)
        floor_line = 0.75 if (top % 3.0) < 1.2 else 1.0
        target[hit] = source[hit]
        is_wall &= solid[rows[1], cols[1]] > 0.5
        target[is_wall] = np.float32(wall * floor_line)
    return seen
