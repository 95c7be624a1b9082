"""Labelled before/after chips of random fictional places, for pre-training."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.buildings import Use, design
from groundbreak.simulate.conditions import draw_conditions, random_date
from groundbreak.simulate.districts import PLACES
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.labels import pair_label
from groundbreak.simulate.land import Coast, Land, build_land
from groundbreak.simulate.layers import Rect
from groundbreak.simulate.port import Port, build_port, slip_rect
from groundbreak.simulate.render import render
from groundbreak.simulate.sensor import develop, draw_camera, expose, veil
from groundbreak.simulate.works import Stage, Works
from groundbreak.simulate.world import (
    World,
    design_all,
    draw_fixed,
    make_grain,
    parking_places,
    plots,
)

_MARGIN_PX = 6
_BEFORE, _AFTER = 0.0, 1.0
_RISE = (
    (Stage.UNTOUCHED, Stage.STANDING, 0.5),
    (Stage.CLEARED, Stage.STANDING, 0.25),
    (Stage.FOUNDATION, Stage.STANDING, 0.05),
    (Stage.UNTOUCHED, Stage.CLEARED, 0.08),
    (Stage.UNTOUCHED, Stage.FOUNDATION, 0.04),
    (Stage.UNTOUCHED, Stage.FRAME, 0.04),
    (Stage.FRAME, Stage.STANDING, 0.04),
)
_FALL = (
    (Stage.STANDING, Stage.BARE, 0.45),
    (Stage.STANDING, Stage.RUBBLE, 0.25),
    (Stage.STANDING, Stage.UNTOUCHED, 0.2),
    (Stage.STANDING, Stage.STRIPPED, 0.05),
    (Stage.RUBBLE, Stage.BARE, 0.05),
)


def render_pair(
    seed: int, size_px: int, gsd_m: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A simulated labelled pair of a random place.

    Args:
        seed: the same seed gives the same pair.
        size_px: height and width of the chip.
        gsd_m: ground size of a pixel, 0.3 to 10 m.

    Returns:
        before and after, uint8 (h, w, 3) RGB; label, uint8 (h, w) with the values of
        ``MaskValue``.
    """
    rng = np.random.default_rng([seed, 71])
    factor = 2
    world = _random_world(rng, size_px + 2 * _MARGIN_PX, gsd_m, factor)
    label = pair_label(world.grid, world.works, _BEFORE, _AFTER, factor)
    spread = 0.25 if rng.random() < 0.6 else 0.75
    chips = []
    date = random_date(rng)
    for day in (_BEFORE, _AFTER):
        conditions = draw_conditions(rng, date, world.latitude)
        camera = draw_camera(rng, gsd_m)
        drawing = render(world, conditions, day)
        shift = rng.uniform(-spread, spread, 2)
        light = expose(drawing.radiance, factor, (float(shift[0]), float(shift[1])), camera)
        chips.append(develop(veil(light, conditions), camera, rng))
        date += timedelta(days=int(rng.integers(20, 1500)))
    inner = slice(_MARGIN_PX, _MARGIN_PX + size_px)
    return (
        np.ascontiguousarray(chips[0][inner, inner]),
        np.ascontiguousarray(chips[1][inner, inner]),
        np.ascontiguousarray(label[inner, inner]),
    )


def _random_world(rng: np.random.Generator, size_px: int, gsd_m: float, factor: int) -> World:
    step = gsd_m / factor
    grid = DrawGrid(0.0, 0.0, step, (size_px * factor, size_px * factor))
    size_m = size_px * gsd_m
    at_sea = rng.random() < 0.3 and gsd_m < 12
    names = [name for name in PLACES if name != "coast"]
    place = "coast" if at_sea and rng.random() < 0.6 else names[rng.integers(len(names))]
    coast = _random_coast(rng, size_m) if at_sea else None
    aridity = 0.6 + 0.4 * rng.random() if place == "dry" else rng.beta(1.2, 3)
    patch_m = float(np.clip(rng.uniform(110, 330), size_m * 0.22, None))
    land = build_land(rng, grid, PLACES[place], coast, float(aridity), patch_m)
    port, shore = None, coast
    slips: list[Works] = []
    if shore is not None:
        port, slips = _port_and_slips(rng, land, shore, size_m)
    grain = make_grain(rng, grid.shape)
    spots = plots(rng, land)
    buildings = design_all(rng, land, spots)
    fixed, works = _split(rng, land, buildings)
    works += slips
    return World(
        land=land,
        grain=grain,
        fixed=draw_fixed(grid, 3, grain, fixed),
        buildings=tuple(fixed),
        works=tuple(works),
        port=port,
        parking=parking_places(rng, land, fixed) if step < 0.9 else np.zeros((0, 3), np.float32),
        latitude=float(rng.uniform(25, 50)),
    )


def _random_coast(rng: np.random.Generator, size_m: float) -> Coast:
    return Coast(
        x=float(rng.uniform(0.25, 0.75) * size_m),
        y=float(rng.uniform(0.25, 0.75) * size_m),
        normal=float(rng.uniform(0, 2 * np.pi)),
        swing=float(rng.uniform(0.0, 0.08) * size_m),
        wavelength=float(rng.uniform(0.7, 2.0) * size_m),
        phase=float(rng.uniform(0, 6.28)),
        slope=float(rng.uniform(0.03, 0.16)),
    )


def _port_and_slips(
    rng: np.random.Generator, land: Land, coast: Coast, size_m: float
) -> tuple[Port | None, list[Works]]:
    if rng.random() > 0.75:
        return None, []
    frame = coast.frame
    length = float(min(rng.uniform(0.5, 1.2) * size_m, 900))
    port = build_port(rng, land, frame, length)
    slips: list[Works] = []
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(1, 3))):
            wide = float(rng.uniform(12, 45))
            long = float(rng.uniform(2.0, 5.5) * wide)
            u = float(rng.uniform(-0.4, 0.4) * min(length, size_m))
            stages = [
                (Stage.UNTOUCHED, Stage.WATER),
                (Stage.UNTOUCHED, Stage.WATER),
                (Stage.DUG, Stage.WATER),
                (Stage.UNTOUCHED, Stage.DUG),
            ]
            before, after = stages[rng.integers(4)]
            slips.append(
                Works(
                    f"slip{len(slips)}",
                    None,
                    slip_rect(frame, u, min(long, 160.0), wide),
                    before,
                    ((_AFTER, after),),
                )
            )
    return port, slips


def _split(
    rng: np.random.Generator,
    land: Land,
    buildings: list,  # type: ignore[type-arg]
) -> tuple[list, list[Works]]:  # type: ignore[type-arg]
    """Choose which buildings rise, fall or are replaced; the others stand throughout."""
    mood = rng.choice(["quiet", "some", "much", "estate"], p=[0.15, 0.4, 0.25, 0.2])
    share = {"quiet": 0.0, "some": 0.12, "much": 0.35, "estate": 0.1}[mood]
    estate = int(rng.integers(len(land.districts))) if mood == "estate" else -1
    estate_rises = rng.random() < 0.75
    fixed, works = [], []
    for number, building in enumerate(buildings):
        row, col = land.grid.pixel(building.rect.x, building.rect.y)
        in_estate = land.district[row, col] == estate
        chance = 0.9 if in_estate else share
        if rng.random() > chance:
            fixed.append(building)
            continue
        rises = estate_rises if in_estate else rng.random() < 0.6
        table = _RISE if rises else _FALL
        weights = np.array([row[2] for row in table])
        before, after, _ = table[rng.choice(len(table), p=weights / weights.sum())]
        apron = float(rng.uniform(1.5, 7))
        works.append(Works(f"b{number}", building, None, before, ((_AFTER, after),), apron))
        if not rises and after == Stage.BARE and rng.random() < 0.3:
            rect = building.rect
            new = Rect(
                rect.x,
                rect.y,
                rect.length * rng.uniform(0.7, 1.1),
                rect.width * rng.uniform(0.7, 1.1),
                rect.angle,
            )
            use = building.use if rng.random() < 0.7 else Use.HALL
            replaced = design(rng, use, new)
            works.append(
                Works(
                    f"b{number}r",
                    replaced,
                    None,
                    Stage.UNTOUCHED,
                    ((_AFTER, Stage.STANDING),),
                    apron,
                    f"b{number}",
                )
            )
    return fixed, works
