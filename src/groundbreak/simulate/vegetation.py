"""Trees and bushes: crowns in a plane, each there or not by the density under its centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.land import Land
from groundbreak.simulate.noise import crown_samples, crown_tile
from groundbreak.simulate.world import World
from groundbreak.types import BoolArray, FloatArray

_LAYERS = (
    # crown spacing in metres, tallest, share of the density
    (7.5, 9.0, 1.0),
    (3.1, 2.4, 0.55),
)
SUMMER = np.array([0.048, 0.078, 0.035, 0.38], np.float32)
NEEDLES = np.array([0.037, 0.058, 0.034, 0.26], np.float32)
AUTUMN = np.array([0.140, 0.085, 0.035, 0.30], np.float32)
TWIGS = np.array([0.105, 0.090, 0.072, 0.17], np.float32)


@dataclass(frozen=True)
class Relief:
    """What stands on the ground: its height and the slopes of its surface, each (h, w)."""

    height: FloatArray
    slope_x: FloatArray
    slope_y: FloatArray


@dataclass(frozen=True)
class _Crowns:
    """Pixels under crowns: flat index, offset from the centre (m), relative distance, key."""

    where: NDArray[np.intp]
    dx: FloatArray
    dy: FloatArray
    away: FloatArray
    key: FloatArray
    radius: FloatArray


def draw_crowns(
    world: World,
    land: Land,
    conditions: Conditions,
    albedo: FloatArray,
    relief: Relief,
    blocked: FloatArray,
) -> None:
    """Draw trees and bushes into a date's rasters, in place.

    Args:
        world: the place.
        land: its ground plan at the date.
        conditions: season.
        albedo: (h, w, bands).
        relief: heights and slopes so far.
        blocked: (h, w), > 0.3 where nothing grows.
    """
    # Woods are closed with some gaps; elsewhere trees stand in clumps.
    patch = world.grain.patch
    clumps = np.clip(np.float32(0.45) + np.float32(1.7) * patch, 0, 3.5)
    closed = np.clip(1 + np.float32(0.9) * patch, 0.1, 1.6)
    density = land.trees * np.where(land.trees > 0.6, closed, clumps)
    density[(blocked > 0.3) | (land.elevation < 1.6)] = 0
    height, slope_x, slope_y = (
        field.reshape(-1) for field in (relief.height, relief.slope_x, relief.slope_y)
    )
    fine = world.grain.fine.reshape(-1)
    for number, (spacing, tallest, share) in enumerate(_LAYERS):
        if number and world.grid.step > spacing * 0.8:
            continue
        crowns = _crowns(world, density, blocked, (number, spacing, share))
        where, away, key = crowns.where, crowns.away, crowns.key
        if not where.size:
            continue
        _paint(conditions, albedo.reshape(-1, albedo.shape[2]), crowns, fine[where])
        bow = np.sqrt(np.clip(1 - away**2, 0, 1))
        size = (tallest / (0.6 * spacing)) * (0.5 + 0.7 * key) * crowns.radius
        height[where] = np.maximum(height[where], size * (0.45 + 0.55 * bow))
        steep = np.float32(0.65) * away / np.maximum(bow, 0.45)
        steep /= np.maximum(np.hypot(crowns.dx, crowns.dy), 0.05)
        slope_x[where] = steep * crowns.dx + 0.5 * fine[where]
        slope_y[where] = steep * crowns.dy - 0.5 * fine[where]


def _near(density: FloatArray, reach: int) -> BoolArray:
    """Where something may grow within ``reach`` pixels, found on blocks of that size."""
    h, w = density.shape
    rows, cols = -(-h // reach), -(-w // reach)
    padded = np.zeros((rows * reach, cols * reach), bool)
    padded[:h, :w] = density > 0.004
    blocks = padded.reshape(rows, reach, cols, reach).any((1, 3))
    blocks = ndimage.maximum_filter(np.asarray(blocks), 3)
    return np.repeat(np.repeat(blocks, reach, 0), reach, 1)[:h, :w]


def _crowns(
    world: World, density: FloatArray, blocked: FloatArray, layer: tuple[int, float, float]
) -> _Crowns:
    number, spacing, share = layer
    grid, tile = world.grid, crown_tile()
    reach = max(1, int(spacing / grid.step))
    where = np.flatnonzero(_near(density, reach) & (blocked < 0.5))
    row, col = np.divmod(where, grid.shape[1])
    cols, rest_x = crown_samples(grid.x + np.float32(131 * number), spacing)
    rows, rest_y = crown_samples(grid.y + np.float32(57 * number), spacing)
    index = (rows[row], cols[col])
    dx = (tile.dx[index] + rest_x[col]) * np.float32(spacing)
    dy = (tile.dy[index] + rest_y[row]) * np.float32(spacing)
    radius, key = tile.radius[index] * np.float32(spacing), tile.key[index]
    ragged = 1 + 0.16 * world.grain.rough.reshape(-1)[where]
    ragged += 0.08 * world.grain.fine.reshape(-1)[where]
    away = np.hypot(dx, dy) / radius * ragged
    under = grid.cell(grid.x[col] + dx, grid.y[row] + dy)
    stands = np.flatnonzero((away < 1) & (key < density[under] * share))
    return _Crowns(where[stands], dx[stands], dy[stands], away[stands], key[stands], radius[stands])


def _paint(conditions: Conditions, albedo: FloatArray, crowns: _Crowns, fine: FloatArray) -> None:
    variety = np.mod(crowns.key * np.float32(37.7), 1)[:, None]
    evergreen = np.mod(crowns.key * np.float32(91.3), 1)[:, None] < 0.3
    bands, leaf = albedo.shape[1], np.float32(conditions.leaf)
    turning = np.clip(1 - abs(conditions.day_of_year - 300) / 30, 0, 1) * variety
    leafy = SUMMER[:bands] * (0.7 + 0.7 * variety)
    leafy += (AUTUMN[:bands] - leafy) * turning.astype(np.float32)
    twigs = TWIGS[:bands] * (0.8 + 0.4 * variety)
    needles = NEEDLES[:bands] * (0.8 + 0.5 * variety)
    colour = np.where(evergreen, needles, twigs + leaf * (leafy - twigs))
    colour *= 1 + np.float32(0.2) * fine[:, None]
    cover = np.where(evergreen, np.float32(1), 1 - np.float32(0.45) * (1 - leaf))
    share = np.clip((1 - crowns.away[:, None]) * 4, 0, 1) * cover
    old = albedo[crowns.where]
    albedo[crowns.where] = old + share * (np.maximum(colour, np.float32(0.008)) - old)
