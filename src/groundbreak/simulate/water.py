"""Sea, basins and ponds: colour by depth, waves, foam at the shore."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.noise import noise
from groundbreak.simulate.world import World
from groundbreak.types import BoolArray, FloatArray

DEEP = np.array([0.022, 0.040, 0.050, 0.010], np.float32)
GREENISH = np.array([0.035, 0.062, 0.055, 0.012], np.float32)
SILT = np.array([0.105, 0.105, 0.080, 0.035], np.float32)
SAND = np.array([0.36, 0.315, 0.24, 0.42], np.float32)
WET_SAND = np.array([0.20, 0.17, 0.13, 0.2], np.float32)


def pour(
    world: World,
    conditions: Conditions,
    albedo: FloatArray,
    elevation: FloatArray,
    blocked: tuple[FloatArray, BoolArray],
) -> tuple[FloatArray, FloatArray]:
    """Fill what lies below the tide, and lay the beach above it.

    Args:
        world: the place.
        conditions: tide, waves, silt.
        albedo: reflectance so far, (h, w, bands).
        elevation: the ground with its slips, (h, w).
        blocked: how much of a pixel stands above the ground, and where a dry pit is.

    Returns:
        The new reflectance (h, w, bands) and the elevation of the visible surface (h, w).
    """
    coast = world.land.coast
    tide = np.float32(conditions.tide_m if coast is not None else -1e3)
    depth = tide - elevation
    if float(depth.max()) < -4:
        return albedo, elevation
    solid, pit = blocked
    bands = albedo.shape[2]
    paved = world.land.street
    beach = np.clip((2.2 - elevation) / 0.6, 0, 1) * ~paved * (elevation > -4)
    damp = np.clip((1.3 - elevation) / 0.8, 0, 1)[..., None]
    sand = SAND[:bands] * (1 - damp) + WET_SAND[:bands] * damp
    tone = 1 + 0.05 * world.grain.rough + 0.05 * world.grain.patch
    share = (beach * (1 - solid))[..., None]
    albedo = albedo + share * (sand * tone[..., None] - albedo)
    under = np.clip(depth / 0.15, 0, 1) * (1 - solid) * ~pit
    rng = conditions.rng
    turbid = np.float32(conditions.turbid)
    swirl = np.clip(turbid + 0.25 * noise(rng, world.grid.shape, 2.0), 0, 1)[..., None]
    silt_near = np.clip(1 - depth / 6.0, 0, 1)[..., None] * turbid
    body = DEEP[:bands] + (GREENISH[:bands] - DEEP[:bands]) * swirl
    body = body + (SILT[:bands] - body) * np.clip(0.35 * swirl * turbid + 0.6 * silt_near, 0, 1)
    clear = np.exp(-np.clip(depth, 0, 50) * (0.5 + 2.2 * turbid))[..., None]
    fade = np.array([2.5, 1.1, 0.9, 8.0], np.float32)[:bands]
    water = body + (sand * 0.7 - body) * clear**fade
    water = water * (1 + _waves(world, conditions)[..., None])
    foam = _foam(world, conditions, depth)[..., None]
    water = water + foam * (np.float32(0.55) - water)
    albedo = albedo + under[..., None] * (water - albedo)
    return albedo, np.where(pit, elevation, np.maximum(elevation, tide)).astype(np.float32)


def _waves(world: World, conditions: Conditions) -> FloatArray:
    rng = conditions.rng
    small = noise(rng, world.grid.shape, 0.5)
    large = noise(rng, world.grid.shape, 1.5)
    return np.float32(conditions.waves) * (0.06 * small + 0.05 * large)


def _foam(world: World, conditions: Conditions, depth: FloatArray) -> FloatArray:
    rng = np.random.default_rng(conditions.seed + 1)
    wobble = noise(rng, world.grid.shape, 1.5)
    lines = np.clip(1.3 - np.abs(depth - 0.25 - 0.12 * wobble) / 0.18, 0, 1)
    lines += 0.7 * np.clip(1.2 - np.abs(depth - 0.9 - 0.2 * wobble) / 0.15, 0, 1)
    broken = np.clip(0.2 + 0.9 * noise(rng, world.grid.shape, 1.0), 0, 1)
    return np.clip(lines * broken * np.float32(conditions.waves) ** 2, 0, 0.9)
