"""A world at one date as the sun lights it: ground reflectance per drawn pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.layers import Layers, Rect, lay, raise_to, rect_pixels
from groundbreak.simulate.light import illuminate, shadows
from groundbreak.simulate.noise import noise, smooth_line
from groundbreak.simulate.port import draw_containers, draw_ships
from groundbreak.simulate.surfaces import Cover, Paint, SurfaceTable, paint
from groundbreak.simulate.vegetation import draw_crowns
from groundbreak.simulate.water import pour
from groundbreak.simulate.works import Stage, draw_works, ground_patches
from groundbreak.simulate.world import World
from groundbreak.types import FloatArray


@dataclass(frozen=True)
class Drawing:
    """What the sensor looks at: ``radiance`` (h, w, bands) and ``height`` (h, w) in metres."""

    radiance: FloatArray
    height: FloatArray


def render(world: World, conditions: Conditions, day: float) -> Drawing:
    """Draw a world.

    Args:
        world: the place.
        conditions: sun, season, snow, tide and so on.
        day: the date on the time axis of ``world.works``.
    """
    rng = conditions.rng
    ground, bare = _ground(world, conditions, day)
    layers = world.fixed.copy()
    draw_works(layers, world.works, day)
    _traffic(layers, world, rng)
    blocked = np.maximum(layers.cover, bare)
    solid = layers.cover[..., None]
    albedo = ground * (1 - solid) + layers.albedo * solid
    height, slope_x, slope_y = layers.height, layers.slope_x, layers.slope_y
    elevation = _dig(world, day)
    dy, dx = np.gradient(world.land.elevation, np.float32(world.grid.step))
    open_ground = layers.cover < 0.5
    slope_x = np.where(open_ground, np.clip(dx, -0.5, 0.5), slope_x)
    slope_y = np.where(open_ground, np.clip(dy, -0.5, 0.5), slope_y)
    draw_crowns(world, conditions, albedo, (height, slope_x, slope_y), blocked)
    albedo = _snow(world, conditions, albedo, height, rng)
    albedo, surface = pour(world, conditions, albedo, elevation, layers.cover)
    wet = surface > elevation
    slope_x[wet & open_ground] = 0
    slope_y[wet & open_ground] = 0
    total = surface + height
    shade = shadows(total, world.grid.step, conditions)
    return Drawing(illuminate(albedo, slope_x, slope_y, shade, conditions), height)


def _ground(world: World, conditions: Conditions, day: float) -> tuple[FloatArray, FloatArray]:
    """Reflectance of the bare ground with the patches of works, and where those patches are."""
    land, grain, bands = world.land, world.grain, world.fixed.bands
    look: Paint = paint(land.table, conditions)
    drift = noise(conditions.rng, land.grid.shape, 1.5)
    blend = np.clip(0.5 + 0.42 * (0.85 * grain.patch + 0.5 * drift), 0, 1)
    rows = land.surface
    first, second = look.first[:, :bands], look.second[:, :bands]
    albedo = first[rows]
    albedo += blend[..., None] * (second - first)[rows]
    line = smooth_line(1)
    furrow = line[(land.furrow * 3.0 + 4000.0).astype(np.int32) % line.size]
    tone = 1 + look.texture[rows] * (0.75 * grain.rough + 0.5 * grain.fine)
    tone += look.streak[rows] * furrow
    albedo *= np.clip(tone, 0.25, 2.2)[..., None]
    bare = np.zeros(land.grid.shape, np.float32)
    for rect, cover, ragged, key in ground_patches(world.works, day):
        _patch(world, conditions, (albedo, bare), (rect, cover, ragged, key))
    return albedo, bare


def _patch(
    world: World,
    conditions: Conditions,
    target: tuple[FloatArray, FloatArray],
    patch: tuple[Rect, Cover, float, int],
) -> None:
    rect, cover, ragged, key = patch
    pixels = rect_pixels(world.grid, rect, reach=ragged)
    if pixels is None:
        return
    albedo, bare = target
    window, rng = pixels.window, np.random.default_rng(key)
    inside = np.minimum(pixels.inside_u, pixels.inside_v)
    if ragged:
        inside = inside + 0.45 * ragged * world.grain.patch[window]
    share = np.clip(inside / max(world.grid.step, 0.5) + 0.5, 0, 1)
    share = share * (world.land.elevation[window] > 1.0)
    table = SurfaceTable(np.array([cover], np.uint8), rng.random((1, 4), np.float32), 0.3)
    look = paint(table, conditions)
    grain = world.grain
    blend = np.clip(0.5 + 0.4 * grain.patch[window], 0, 1)[..., None]
    bands = albedo.shape[2]
    colour = look.first[0, :bands] + blend * (look.second[0, :bands] - look.first[0, :bands])
    tone = 1 + look.texture[0] * (0.8 * grain.rough[window] + 0.8 * grain.fine[window])
    colour = colour * np.clip(tone, 0.3, 2.0)[..., None]
    albedo[window] += share[..., None] * (colour - albedo[window])
    np.maximum(bare[window], share, out=bare[window])


def _dig(world: World, day: float) -> FloatArray:
    """Elevation of the ground with the slips as they are at a day."""
    elevation = world.land.elevation
    slips = [item for item in world.works if item.slip is not None]
    if not slips:
        return elevation
    elevation = elevation.copy()
    for item in slips:
        stage = item.stage(day)
        if stage not in {Stage.DUG, Stage.WATER} or item.slip is None:
            continue
        pixels = rect_pixels(world.grid, item.slip)
        if pixels is None:
            continue
        where = pixels.cover > 0.5
        level = -9.0 if stage == Stage.WATER else np.float32(-2.5)
        elevation[pixels.window][where] = level
    return elevation


def _traffic(layers: Layers, world: World, rng: np.random.Generator) -> None:
    """Vehicles, ships and containers: what is never the same twice."""
    if world.port is not None:
        draw_ships(layers, rng, world.port.berths, rng.uniform(0.3, 0.85))
        draw_containers(layers, rng, world.port.yards)
    if world.grid.step > 0.9 or not len(world.parking):
        return
    colours = np.array([0.07, 0.12, 0.3, 0.55, 0.62, 0.2], np.float32)
    for x, y, heading in world.parking:
        if rng.random() > 0.5:
            continue
        tall = rng.random() < 0.06
        rect = Rect(
            float(x),
            float(y),
            rng.uniform(7, 11) if tall else rng.uniform(3.9, 5.0),
            2.4 if tall else 1.8,
            float(heading),
        )
        pixels = rect_pixels(layers.grid, rect)
        if pixels is None or layers.height[pixels.window].max() > 1.8:
            continue
        colour = np.full(4, colours[rng.integers(colours.size)], np.float32)
        if rng.random() < 0.2:
            colour = colour * np.array([1.5, 0.6, 0.5, 1.0], np.float32)[rng.permutation(4)]
        glass = 1 - 0.6 * ((np.abs(pixels.u - 0.5) > 0.7) & (np.abs(pixels.u - 0.5) < 1.4))
        lay(layers, pixels.window, pixels.cover, colour[: layers.bands] * glass[..., None])
        raise_to(layers, pixels.window, pixels.cover, 3.0 if tall else 1.5)


def _snow(
    world: World,
    conditions: Conditions,
    albedo: FloatArray,
    height: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    if conditions.snow <= 0:
        return albedo
    melt = 0.5 * world.grain.patch + 0.5 * noise(rng, world.grid.shape, 1.5)
    depth = conditions.snow * 2.4 - 0.9 - 0.55 * world.land.street + 0.2 * melt
    depth -= 0.5 * ((height > 4.0) & (world.fixed.cover < 0.5))
    share = np.clip(depth, 0, 0.97)[..., None]
    white = np.array([0.72, 0.73, 0.76, 0.66], np.float32)[: albedo.shape[2]]
    bright = white * (1 + np.float32(0.04) * world.grain.rough[..., None])
    return (albedo + share * (bright - albedo)).astype(np.float32, copy=False)
