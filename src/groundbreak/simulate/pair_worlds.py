"""Random places in which something happens between two days."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.buildings import Building, Use, design
from groundbreak.simulate.districts import PLACES, STYLES
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.land import Land, build_land, relaid
from groundbreak.simulate.port import Port, build_port, piered_slip, shore_at, slip_rect
from groundbreak.simulate.terrain import Coast
from groundbreak.simulate.trunks import canal, draw_paths, draw_trunk, highway, railway, river, road
from groundbreak.simulate.works import Stage, Works
from groundbreak.simulate.world import Plan, World, assemble, design_all, plots

BEFORE, AFTER = 0.0, 1.0
"""The two days on the time axis of the works."""

_RISE = (
    (Stage.UNTOUCHED, Stage.STANDING, 0.38),
    (Stage.CLEARED, Stage.STANDING, 0.18),
    (Stage.FOUNDATION, Stage.STANDING, 0.14),
    (Stage.FRAME, Stage.STANDING, 0.14),
    (Stage.UNTOUCHED, Stage.CLEARED, 0.06),
    (Stage.UNTOUCHED, Stage.FOUNDATION, 0.05),
    (Stage.UNTOUCHED, Stage.FRAME, 0.05),
)
_FALL = (
    (Stage.STANDING, Stage.BARE, 0.42),
    (Stage.STANDING, Stage.RUBBLE, 0.22),
    (Stage.STANDING, Stage.UNTOUCHED, 0.16),
    (Stage.STRIPPED, Stage.RUBBLE, 0.06),
    (Stage.STRIPPED, Stage.BARE, 0.06),
    (Stage.STANDING, Stage.STRIPPED, 0.04),
    (Stage.RUBBLE, Stage.BARE, 0.04),
)
_DIG = (
    (Stage.UNTOUCHED, Stage.WATER, 0.55),
    (Stage.DUG, Stage.WATER, 0.3),
    (Stage.UNTOUCHED, Stage.DUG, 0.15),
)
_LINES = (highway, road, road, railway, canal, river)
_EMPTY = ("fields", "strips", "open", "scrub", "bare", "wood")


def random_world(
    rng: np.random.Generator, size_px: int, gsd_m: float, factor: int, place: str | None = None
) -> World:
    """A random place, drawn at ``factor`` pixels per pixel of ``gsd_m``.

    Args:
        rng: source of chance.
        size_px: side in pixels of ``gsd_m``.
        gsd_m: ground size of those pixels.
        factor: drawing pixels per pixel.
        place: a key of ``PLACES``; None draws one. "coast" has a shore, mostly with a port, the
            others have one now and then.

    Raises:
        KeyError: there is no such kind of place.
    """
    grid = DrawGrid(0.0, 0.0, gsd_m / factor, (size_px * factor, size_px * factor))
    size_m = size_px * gsd_m
    at_sea = rng.random() < 0.22 or place == "coast"
    inland = [name for name in PLACES if name != "coast"]
    drawn = "coast" if at_sea and rng.random() < 0.6 else str(inland[rng.integers(len(inland))])
    place = place or drawn
    coast = _coast(rng, size_m) if at_sea else None
    aridity = float(0.6 + 0.4 * rng.random() if place == "dry" else rng.beta(1.2, 3))
    patch_m = float(np.clip(rng.uniform(130, 380), size_m * 0.22, None))
    land = build_land(rng, grid, PLACES[place], coast, aridity, patch_m)
    for _ in range(int(rng.poisson(0.25 + 0.25 * (size_m > 400)))):
        draw = _LINES[rng.integers(len(_LINES))]
        wander = float(rng.uniform(0, 0.08) * size_m) if draw is not canal else 0.0
        land = draw_trunk(rng, land, draw(rng), wander, 4.0 if draw is river else 0.0)
    draw_paths(rng, land, int(rng.integers(0, 4)))
    port, slips = (None, []) if coast is None else _waterfront(rng, land, coast, size_m)
    spots = plots(rng, land)
    if port is not None:
        spots += [(rect, Use.HALL, 0) for rect in port.halls]
    buildings = design_all(rng, land, spots)
    fixed, works, former = _happen(rng, land, buildings, 3 * gsd_m**2)
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


def _waterfront(
    rng: np.random.Generator, land: Land, coast: Coast, size_m: float
) -> tuple[Port | None, list[Works]]:
    """A port, or a natural shore, and the slips that are made there."""
    count = int(rng.choice([0, 1, 2], p=[0.35, 0.45, 0.2]))
    if rng.random() < 0.2:
        return None, [slip for k in range(count) for slip in _wild_slip(rng, land, coast, k)]
    length = float(np.clip(rng.uniform(0.6, 1.3) * size_m, 120, 1000))
    port = build_port(rng, land, coast.frame, length)
    slips: list[Works] = []
    for number in range(count):
        wide = float(rng.uniform(10, 50))
        pier = float(rng.uniform(5, 14)) if rng.random() < 0.3 else 0.0
        try:
            u = port.free_quay(rng, land, wide + 2 * pier + 6)
        except ValueError:
            break
        long = float(rng.uniform(1.8, 5.5)) * wide
        if pier:
            rect, flanks = piered_slip(port.frame, u, min(long, 130.0), wide, pier)
            stages = ((AFTER, Stage.WATER),)
            slips.append(Works(f"slip{number}", None, rect, Stage.UNTOUCHED, stages, flanks=flanks))
            continue
        before, after = _pick(rng, _DIG)
        rect = slip_rect(port.frame, u, min(long, port.depth - 8), wide)
        slips.append(Works(f"slip{number}", None, rect, before, ((AFTER, after),)))
    return port, slips


def _wild_slip(rng: np.random.Generator, land: Land, coast: Coast, number: int) -> list[Works]:
    """A basin cut into a natural shore, if there is shore where it should be."""
    wide = float(rng.uniform(12, 45))
    x0, _, x1, _ = land.grid.extent
    u = float(rng.uniform(-0.35, 0.35) * (x1 - x0))
    shore = shore_at(land, coast.frame, u, 0.4 * (x1 - x0))
    if shore is None:
        return []
    before, after = _pick(rng, _DIG)
    rect = slip_rect(coast.frame, u, float(rng.uniform(1.8, 4.0)) * wide, wide, shore - 8.0)
    return [Works(f"slip{number}", None, rect, before, ((AFTER, after),))]


def _happen(
    rng: np.random.Generator, land: Land, buildings: list[Building], smallest_m2: float
) -> tuple[list[Building], list[Works], tuple[tuple[float, Land], ...]]:
    """Choose which buildings rise, fall or are replaced; the others stand throughout.

    Alone, only buildings of at least ``smallest_m2`` change. In one place of four whole
    neighbourhoods with their streets are new, or are torn down.
    """
    mood = str(rng.choice(["quiet", "some", "much", "estate"], p=[0.12, 0.38, 0.25, 0.25]))
    share = {"quiet": 0.0, "some": 0.12, "much": 0.35, "estate": 0.08}[mood]
    estates = _estates(rng, land) if mood == "estate" else {}
    fixed: list[Building] = []
    works: list[Works] = []
    for number, building in enumerate(buildings):
        here = int(land.district[land.grid.pixel(building.rect.x, building.rect.y)])
        if here in estates:
            if rng.random() < 0.93:
                works += _works(rng, f"b{number}", building, estates[here], alone=False)
            elif not estates[here]:  # nothing else stands where the streets are still to come
                fixed.append(building)
        elif rng.random() < share and building.footprint.area >= smallest_m2:
            works += _works(rng, f"b{number}", building, bool(rng.random() < 0.6), alone=True)
        else:
            fixed.append(building)
    former = land
    for estate in (number for number, rises in estates.items() if rises):
        former = relaid(rng, former, estate, str(_EMPTY[rng.integers(len(_EMPTY))]))
    return fixed, works, () if former is land else ((AFTER, former),)


def _estates(rng: np.random.Generator, land: Land) -> dict[int, bool]:
    """Some built-up neighbourhoods, and whether each is new (or torn down)."""
    built = [
        number
        for number, district in enumerate(land.districts)
        if STYLES[district.style_name].built > 0.5 and (land.district == number).any()
    ]
    count = min(len(built), 1 + int(rng.integers(0, 1 + len(built) // 3)))
    chosen = [built[int(k)] for k in rng.permutation(len(built))[:count]]
    return {number: bool(rng.random() < 0.75) for number in chosen}


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
