"""Sea and basins: colour by depth, waves, foam and a beach at the shore."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.noise import noise
from groundbreak.simulate.world import World
from groundbreak.types import BoolArray, FloatArray

DEEP = np.array([0.022, 0.040, 0.050, 0.010], np.float32)
GREENISH = np.array([0.035, 0.062, 0.055, 0.012], np.float32)
SILT = np.array([0.105, 0.105, 0.080, 0.035], np.float32)
SAND = np.array([0.36, 0.315, 0.24, 0.42], np.float32)
WET_SAND = np.array([0.20, 0.17, 0.13, 0.2], np.float32)
CLARITY = np.array([2.5, 1.1, 0.9, 8.0], np.float32)
"""How fast the bottom fades with depth, per band."""
BEACH_TOP_M = 2.2


def pour(
    world: World,
    conditions: Conditions,
    albedo: FloatArray,
    elevation: FloatArray,
    blocked: tuple[FloatArray, BoolArray],
) -> FloatArray:
    """Fill what lies below the tide, and lay the beach above it; ``albedo`` changes in place.

    Args:
        world: the place.
        conditions: tide, waves, silt.
        albedo: reflectance so far, (h, w, bands).
        elevation: the ground with its slips, (h, w).
        blocked: how much of a pixel stands above the ground, and where a dry pit is.

    Returns:
        The elevation of the visible surface, (h, w).
    """
    if world.land.coast is None:
        return elevation
    solid, pit = blocked
    where = np.flatnonzero((elevation < BEACH_TOP_M) & (solid < 1))
    tide = np.float32(conditions.tide_m)
    pixels = albedo.reshape(-1, albedo.shape[2])
    open_share = 1 - solid.reshape(-1)[where]
    level = elevation.reshape(-1)[where]
    sand = _sand(world, level, where, albedo.shape[2])
    paved = world.land.street.reshape(-1)[where]
    beach = np.clip((BEACH_TOP_M - level) / 0.6, 0, 1) * ~paved * (level > -4) * open_share
    ground = pixels[where]
    ground += beach[:, None] * (sand - ground)
    depth = tide - level
    under = np.clip(depth / 0.15, 0, 1) * open_share * ~pit.reshape(-1)[where]
    water = _water(world, conditions, depth, sand, where)
    ground += under[:, None] * (water - ground)
    pixels[where] = ground
    return np.where(pit, elevation, np.maximum(elevation, tide)).astype(np.float32)


def _sand(world: World, level: FloatArray, where: NDArray[np.intp], bands: int) -> FloatArray:
    """Dry sand above, wet sand below, (n, bands)."""
    damp = np.clip((np.float32(1.3) - level) / np.float32(0.8), 0, 1)[:, None]
    rough, patch = (field.reshape(-1)[where] for field in (world.grain.rough, world.grain.patch))
    tone = 1 + np.float32(0.05) * (rough + patch)
    return (SAND + damp * (WET_SAND - SAND))[:, :bands] * tone[:, None]


def _water(
    world: World,
    conditions: Conditions,
    depth: FloatArray,
    sand: FloatArray,
    where: NDArray[np.intp],
) -> FloatArray:
    """Reflectance of the water over each pixel, (n, bands)."""
    bands, rng, shape = sand.shape[1], conditions.rng, world.grid.shape

    def field(exponent: float) -> FloatArray:
        return noise(rng, shape, exponent).reshape(-1)[where]

    turbid = np.float32(conditions.turbid)
    swirl = np.clip(turbid + np.float32(0.25) * field(2.0), 0, 1)
    near = np.clip(1 - depth / np.float32(6), 0, 1) * turbid
    silty = np.clip(np.float32(0.35) * swirl * turbid + np.float32(0.6) * near, 0, 1)[:, None]
    body = (DEEP + swirl[:, None] * (GREENISH - DEEP))[:, :bands]
    body += silty * (SILT[:bands] - body)
    fade = np.clip(depth, 0, 50) * (np.float32(0.5) + np.float32(2.2) * turbid)
    body += np.exp(-fade[:, None] * CLARITY[:bands]) * (np.float32(0.7) * sand - body)
    waves = np.float32(conditions.waves)
    body *= (1 + waves * (np.float32(0.06) * field(0.5) + np.float32(0.05) * field(1.5)))[:, None]
    wobble = np.float32(0.12) * field(1.5)
    broken = np.clip(np.float32(0.2) + np.float32(0.9) * field(1.0), 0, 1) * waves**2
    foam = np.clip(1.3 - np.abs(depth - 0.25 - wobble) / np.float32(0.18), 0, 1)
    foam += 0.7 * np.clip(1.2 - np.abs(depth - 0.9 - 1.6 * wobble) / np.float32(0.15), 0, 1)
    share = np.clip(foam * broken, 0, 0.9)[:, None].astype(np.float32)
    return body + share * (np.float32(0.55) - body)
