"""Trees and bushes: crowns in a plane, each there or not by the density under its centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.land import Land
from groundbreak.simulate.noise import crown_indices, crown_tile
from groundbreak.simulate.world import World
from groundbreak.types import FloatArray

_LAYERS = (
    # crown spacing in metres, tallest, share of the density
    (7.5, 9.0, 1.0),
    (3.1, 2.4, 0.55),
)


def draw_crowns(
    world: World,
    land: Land,
    conditions: Conditions,
    albedo: FloatArray,
    relief: tuple[FloatArray, FloatArray, FloatArray],
    blocked: FloatArray,
) -> None:
    """Draw trees and bushes into a date's rasters, in place.

    Args:
        world: the place.
        land: its ground plan at the date.
        conditions: season.
        albedo: (h, w, bands).
        relief: height, slope_x, slope_y, each (h, w).
        blocked: (h, w), > 0.3 where nothing grows.
    """
    grid, tile = world.grid, crown_tile()
    height, slope_x, slope_y = relief
    density = land.trees * np.clip(1 + 0.9 * world.grain.patch, 0.1, 1.6)
    density = np.where((blocked > 0.3) | (land.elevation < 1.6), 0, density)
    if float(density.max()) < 0.005:
        return
    for number, (spacing, tallest, share) in enumerate(_LAYERS):
        if grid.step > spacing * 0.8 and number:
            continue
        rows, cols = crown_indices(grid.x + 131.0 * number, grid.y + 57.0 * number, spacing)
        index = (rows[:, None], cols[None, :])
        dx, dy = tile.dx[index] * spacing, tile.dy[index] * spacing
        radius, key = tile.radius[index] * spacing, tile.key[index]
        ragged = 1 + 0.16 * world.grain.rough + 0.08 * world.grain.fine
        away = np.hypot(dx, dy) / radius * ragged
        under = grid.cell(grid.x[None, :] + dx, grid.y[:, None] + dy)
        stands = (away < 1) & (key < density[under] * share) & (blocked < 0.5)
        where = (np.nonzero(stands)[0], np.nonzero(stands)[1])
        if not where[0].size:
            continue
        _paint(world, conditions, albedo, where, (key[where], away[where]))
        bow = np.sqrt(np.clip(1 - away[where] ** 2, 0, 1))
        size = tallest * (0.5 + 0.7 * key[where] % 1) * radius[where] / (0.6 * spacing)
        top = size * (0.45 + 0.55 * bow)
        height[where] = np.maximum(height[where], top)
        steep = np.float32(0.65) * away[where] / np.maximum(bow, 0.45)
        reach = np.maximum(np.hypot(dx[where], dy[where]), 0.05)
        rough = 0.5 * world.grain.fine[where]
        slope_x[where] = steep * dx[where] / reach + rough
        slope_y[where] = steep * dy[where] / reach - rough


def _paint(
    world: World,
    conditions: Conditions,
    albedo: FloatArray,
    where: tuple[NDArray[np.intp], NDArray[np.intp]],
    crown: tuple[FloatArray, FloatArray],
) -> None:
    key, away = crown
    variety = np.mod(key * 37.7, 1.0)[:, None]
    evergreen = np.mod(key * 91.3, 1.0)[:, None] < 0.3
    summer = np.array([0.048, 0.078, 0.035, 0.38], np.float32) * (0.7 + 0.7 * variety)
    needles = np.array([0.037, 0.058, 0.034, 0.26], np.float32) * (0.8 + 0.5 * variety)
    autumn = np.array([0.140, 0.085, 0.035, 0.30], np.float32)
    bare = np.array([0.105, 0.090, 0.072, 0.17], np.float32) * (0.8 + 0.4 * variety)
    day = conditions.day_of_year
    turning = np.float32(np.clip(1 - abs(day - 300) / 30, 0, 1)) * variety
    leafy = summer + (autumn - summer) * turning
    colour = np.where(evergreen, needles, bare + (leafy - bare) * np.float32(conditions.leaf))
    colour = colour * (1 + 0.2 * world.grain.fine[where][:, None])
    see_through = np.where(evergreen, 0.0, 0.45 * (1 - conditions.leaf))
    share = np.clip((1 - away[:, None]) * 4, 0, 1) * (1 - see_through)
    bands = albedo.shape[2]
    old = albedo[where]
    albedo[where] = old + share * (np.maximum(colour[:, :bands], 0.008) - old)
