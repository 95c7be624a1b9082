"""A world at one date as the sun lights it: ground reflectance per drawn pixel."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.goods import draw_things
from groundbreak.simulate.land import Land
from groundbreak.simulate.layers import Layers, Rect, rect_pixels
from groundbreak.simulate.lean import lean
from groundbreak.simulate.light import illuminate, shadows
from groundbreak.simulate.noise import noise, smooth_line
from groundbreak.simulate.port import QUAY_M
from groundbreak.simulate.surfaces import Cover, Paint, SurfaceTable, paint
from groundbreak.simulate.traffic import draw_port, draw_vehicles
from groundbreak.simulate.vegetation import Relief, draw_crowns
from groundbreak.simulate.water import pour
from groundbreak.simulate.works import Stage, draw_works, ground_patches
from groundbreak.simulate.world import World
from groundbreak.types import BoolArray, FloatArray


def render(world: World, conditions: Conditions, day: float) -> FloatArray:
    """Draw a world.

    Args:
        world: the place.
        conditions: sun, season, snow, tide and so on.
        day: the date on the time axis of ``world.works``.

    Returns:
        Reflected light (h, w, bands), 1 for flat white ground in the sun.
    """
    rng = conditions.rng
    land = world.land_at(day)
    elevation, pit = _dig(world, day)
    ground, bare = _ground(world, land, conditions, day, elevation)
    layers = world.fixed.copy()
    draw_works(layers, world.works, day)
    if world.port is not None:
        draw_port(layers, rng, world.port)
    draw_vehicles(layers, rng, _places(world, land, elevation))
    draw_things(layers, [thing for thing in world.goods if rng.random() < 0.5])
    solid = layers.cover[..., None]
    albedo = ground + solid * (layers.albedo - ground)
    relief = _relief(world, layers)
    draw_crowns(world, land, conditions, albedo, relief, np.maximum(layers.cover, bare))
    albedo = _snow(world, land, conditions, albedo, relief.height)
    surface = pour(world, conditions, albedo, elevation, (layers.cover, pit))
    flat = (surface > elevation) & (layers.cover < 0.5)
    relief.slope_x[flat] = 0
    relief.slope_y[flat] = 0
    sunlit = shadows(surface + relief.height, world.grid.step, conditions)
    light = illuminate(albedo, relief.slope_x, relief.slope_y, sunlit, conditions)
    return lean(light, relief.height, layers.cover, world.grid.step, conditions)


def _relief(world: World, layers: Layers) -> Relief:
    """Heights above the ground, and the slopes of roofs or else of the terrain."""
    dy, dx = np.gradient(world.land.elevation, np.float32(world.grid.step))
    on_ground = layers.cover < 0.5
    return Relief(
        layers.height,
        np.where(on_ground, np.clip(dx, -0.5, 0.5), layers.slope_x),
        np.where(on_ground, np.clip(dy, -0.5, 0.5), layers.slope_y),
    )


def _ground(
    world: World, land: Land, conditions: Conditions, day: float, elevation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Reflectance of the bare ground with the patches of works, and where those patches are."""
    grain, bands = world.grain, world.fixed.bands
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
        _patch(world, conditions, (albedo, bare, elevation), (rect, cover, ragged, key))
    return albedo, bare


def _patch(
    world: World,
    conditions: Conditions,
    target: tuple[FloatArray, FloatArray, FloatArray],
    patch: tuple[Rect, Cover, float, int],
) -> None:
    rect, cover, ragged, key = patch
    pixels = rect_pixels(world.grid, rect, reach=ragged)
    if pixels is None:
        return
    albedo, bare, elevation = target
    window, rng = pixels.window, np.random.default_rng(key)
    inside = np.minimum(pixels.inside_u, pixels.inside_v)
    if ragged:
        inside = inside + 0.45 * ragged * world.grain.patch[window]
    share = np.clip(inside / max(world.grid.step, 0.5) + 0.5, 0, 1)
    share = share * ((elevation[window] > 1.0) | (cover == Cover.MUD))
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


def _dig(world: World, day: float) -> tuple[FloatArray, BoolArray]:
    """Elevation of the ground with the slips as they are at a day, and where pits are dry."""
    elevation = world.land.elevation
    pit = np.zeros(elevation.shape, bool)
    slips = [item for item in world.works if item.slip is not None]
    if not slips:
        return elevation, pit
    elevation = elevation.copy()
    for item in slips:
        stage = item.stage(day)
        if stage not in {Stage.DUG, Stage.WATER} or item.slip is None:
            continue
        level = -9.0 if stage == Stage.WATER else -2.5
        for rect, height in ((item.slip, level), *((flank, QUAY_M) for flank in item.flanks)):
            pixels = rect_pixels(world.grid, rect)
            if pixels is None:
                continue
            where = pixels.cover > 0.5
            elevation[pixels.window][where] = height
            pit[pixels.window][where] = height == -2.5
    return elevation, pit


def _places(world: World, land: Land, elevation: FloatArray) -> FloatArray:
    """Where vehicles may stand at a date: not in a slip, nor where a street is still to come."""
    places = world.parking
    if not len(places):
        return places
    cell = world.grid.cell(places[:, 0], places[:, 1])
    same = land.surface[cell] == world.land.surface[cell]
    return places[same & (elevation[cell] > 1.5)]


def _snow(
    world: World,
    land: Land,
    conditions: Conditions,
    albedo: FloatArray,
    height: FloatArray,
) -> FloatArray:
    if conditions.snow <= 0:
        return albedo
    melt = 0.5 * world.grain.patch + 0.5 * noise(conditions.rng, world.grid.shape, 1.5)
    depth = conditions.snow * 2.4 - 0.9 - 0.55 * land.street + 0.2 * melt
    depth -= 0.5 * ((height > 4.0) & (world.fixed.cover < 0.5))
    share = np.clip(depth, 0, 0.97)[..., None]
    white = np.array([0.72, 0.73, 0.76, 0.66], np.float32)[: albedo.shape[2]]
    bright = white * (1 + np.float32(0.04) * world.grain.rough[..., None])
    return (albedo + share * (bright - albedo)).astype(np.float32, copy=False)
