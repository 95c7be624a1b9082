"""Random places in which something happens between two days."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.buildings import Building, Use, design
from groundbreak.simulate.districts import PLACES, STYLES
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.land import Land, build_land, relaid
from groundbreak.simulate.port import Port, build_port, slip_rect
from groundbreak.simulate.terrain import Coast
from groundbreak.simulate.trunks import canal, draw_paths, draw_trunk, highway, railway, river, road
from groundbreak.simulate.works import Stage, Works
from groundbreak.simulate.world import Plan, World, assemble, design_all, plots

BEFORE, AFTER = 0.0, 1.0
"""The two days on the time axis of the works."""

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
_DIG = (
    (Stage.UNTOUCHED, Stage.WATER, 0.55),
    (Stage.DUG, Stage.WATER, 0.2),
    (Stage.UNTOUCHED, Stage.DUG, 0.25),
)
_LINES = (highway, road, road, railway, canal, river)
_EMPTY = ("fields", "strips", "open", "scrub", "bare", "wood")


def random_world(rng: np.random.Generator, size_px: int, gsd_m: float, factor: int) -> World:
    """A random place of a random kind, drawn at ``factor`` pixels per pixel of ``gsd_m``."""
    grid = DrawGrid(0.0, 0.0, gsd_m / factor, (size_px * factor, size_px * factor))
    size_m = size_px * gsd_m
    at_sea = rng.random() < 0.22
    inland = [name for name in PLACES if name != "coast"]
    place = "coast" if at_sea and rng.random() < 0.6 else inland[rng.integers(len(inland))]
    coast = _coast(rng, size_m) if at_sea else None
    aridity = float(0.6 + 0.4 * rng.random() if place == "dry" else rng.beta(1.2, 3))
    patch_m = float(np.clip(rng.uniform(130, 380), size_m * 0.22, None))
    land = build_land(rng, grid, PLACES[place], coast, aridity, patch_m)
    for _ in range(int(rng.poisson(0.25 + 0.25 * (size_m > 400)))):
        draw = _LINES[rng.integers(len(_LINES))]
        wander = float(rng.uniform(0, 0.08) * size_m) if draw is not canal else 0.0
        land = draw_trunk(rng, land, draw(rng), wander, 4.0 if draw is river else 0.0)
    draw_paths(rng, land, int(rng.integers(0, 4)))
    port, slips = (None, []) if coast is None else _port(rng, land, coast, size_m)
    spots = plots(rng, land)
    if port is not None:
        spots += [(rect, Use.HALL, 0) for rect in port.halls]
    buildings = design_all(rng, land, spots)
    fixed, works, former = _happen(rng, land, buildings)
    latitude = float(rng.uniform(22, 50))
    return assemble(rng, land, 3, Plan(fixed, works + slips, port, latitude, former))


def _coast(rng: np.random.Generator, size_m: float) -> Coast:
    return Coast(
        x=float(rng.uniform(0.2, 0.8) * size_m),
        y=float(rng.uniform(0.2, 0.8) * size_m),
        normal=float(rng.uniform(0, 2 * np.pi)),
        swing=float(rng.uniform(0.0, 0.08) * size_m),
        wavelength=float(rng.uniform(0.7, 2.0) * size_m),
        phase=float(rng.uniform(0, 6.28)),
        slope=float(rng.uniform(0.03, 0.16)),
    )


def _port(
    rng: np.random.Generator, land: Land, coast: Coast, size_m: float
) -> tuple[Port | None, list[Works]]:
    if rng.random() > 0.85:
        return None, []
    length = float(np.clip(rng.uniform(0.6, 1.3) * size_m, 120, 1000))
    port = build_port(rng, land, coast.frame, length)
    slips: list[Works] = []
    for _ in range(int(rng.choice([0, 1, 2], p=[0.35, 0.45, 0.2]))):
        wide = float(rng.uniform(12, 45))
        try:
            u = port.free_quay(rng, land, wide + 6)
        except ValueError:
            break
        long = min(float(rng.uniform(2.0, 5.5)) * wide, port.depth - 8)
        before, after = _pick(rng, _DIG)
        rect = slip_rect(port.frame, u, long, wide)
        slips.append(Works(f"slip{len(slips)}", None, rect, before, ((AFTER, after),)))
    return port, slips


def _happen(
    rng: np.random.Generator, land: Land, buildings: list[Building]
) -> tuple[list[Building], list[Works], tuple[tuple[float, Land], ...]]:
    """Choose which buildings rise, fall or are replaced; the others stand throughout.

    In one place of four a whole neighbourhood with its streets is new, or is torn down.
    """
    mood = str(rng.choice(["quiet", "some", "much", "estate"], p=[0.12, 0.38, 0.25, 0.25]))
    share = {"quiet": 0.0, "some": 0.12, "much": 0.35, "estate": 0.08}[mood]
    estate, rises_there = _estate(rng, land) if mood == "estate" else (-1, True)
    fixed: list[Building] = []
    works: list[Works] = []
    for number, building in enumerate(buildings):
        in_estate = land.district[land.grid.pixel(building.rect.x, building.rect.y)] == estate
        if rng.random() > (0.93 if in_estate else share):
            fixed.append(building)
            continue
        rises = rises_there if in_estate else rng.random() < 0.6
        works += _works(rng, f"b{number}", building, rises, alone=not in_estate)
    if estate < 0 or not rises_there:
        return fixed, works, ()
    earlier = str(_EMPTY[rng.integers(len(_EMPTY))])
    former = relaid(rng, land, estate, earlier)
    # Nothing but the works stands where the streets are still to come.
    fixed = [
        building
        for building in fixed
        if land.district[land.grid.pixel(building.rect.x, building.rect.y)] != estate
    ]
    return fixed, works, ((AFTER, former),)


def _estate(rng: np.random.Generator, land: Land) -> tuple[int, bool]:
    """A built-up neighbourhood, if there is one, and whether it is new (or torn down)."""
    built = [
        number
        for number, district in enumerate(land.districts)
        if STYLES[district.style_name].built > 0.5 and (land.district == number).any()
    ]
    if not built:
        return -1, True
    return built[rng.integers(len(built))], bool(rng.random() < 0.75)


def _works(
    rng: np.random.Generator, name: str, building: Building, rises: bool, alone: bool
) -> list[Works]:
    before, after = _pick(rng, _RISE if rises else _FALL)
    apron = float(rng.uniform(1.5, 7))
    works = [Works(name, building, None, before, ((AFTER, after),), apron)]
    if not rises and alone and after == Stage.BARE and rng.random() < 0.35:
        rect = building.rect
        long, wide = rect.length * rng.uniform(0.7, 1.1), rect.width * rng.uniform(0.7, 1.1)
        use = building.use if rng.random() < 0.7 else Use.HALL
        new = design(rng, use, rect.at(0, 0, long, wide))
        risen = ((AFTER, Stage.STANDING),)
        works.append(Works(f"{name}r", new, None, Stage.UNTOUCHED, risen, apron, replaces=name))
    return works


def _pick(
    rng: np.random.Generator, table: tuple[tuple[Stage, Stage, float], ...]
) -> tuple[Stage, Stage]:
    weights = np.array([row[2] for row in table])
    before, after, _ = table[rng.choice(len(table), p=weights / weights.sum())]
    return before, after
