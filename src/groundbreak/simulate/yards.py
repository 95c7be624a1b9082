"""What lies around a building: drive, terrace, pool, shed, sports pitch."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.buildings import Building, Use, design
from groundbreak.simulate.land import Land
from groundbreak.simulate.layers import Rect, rect_pixels
from groundbreak.simulate.surfaces import Cover

Item = tuple[Rect, Cover]

_WITH_DRIVE = frozenset({Use.HOUSE, Use.VILLA, Use.HALL})


def yard_of(rng: np.random.Generator, land: Land, building: Building) -> list[Item]:
    """Paved things around a building, the lowest first."""
    rect = building.rect
    items: list[Item] = []
    if building.use in _WITH_DRIVE:
        found = _to_street(land, rect)
        if found is not None:
            side, reach = found
            wide = rng.uniform(3, 6) if building.use is not Use.HALL else rng.uniform(6, 14)
            cover = Cover.CONCRETE if rng.random() < 0.7 else Cover.GRAVEL
            u = rng.uniform(-0.35, 0.35) * rect.length
            items.append((rect.at(u, side * reach / 2, wide, reach), cover))
            if building.use is Use.VILLA and rng.random() < 0.75:
                depth = rng.uniform(2.5, 5.0)
                back = -side * (rect.width / 2 + depth / 2)
                size = rng.uniform(0.25, 0.6) * rect.length
                items.append((rect.at(-u, back, size, depth), Cover.PAVED_YARD))
            if building.use is Use.VILLA and rng.random() < 0.18:
                back = -side * (rect.width / 2 + rng.uniform(5, 8))
                long, wide = rng.uniform(6, 10), rng.uniform(3.5, 5)
                items.append((rect.at(u, back, long + 3, wide + 3), Cover.CONCRETE))
                items.append((rect.at(u, back, long, wide), Cover.POOL))
    if building.use is Use.HALL and rng.random() < 0.7:
        items.insert(0, (rect.grown(rng.uniform(3, 12)), Cover.CONCRETE))
    if building.use is Use.BLOCK:
        items.append((rect.grown(rng.uniform(1.5, 3)), Cover.PAVED_YARD))
        v = (rect.width / 2 + rng.uniform(5, 8)) * rng.choice([-1, 1])
        items.append((rect.at(0, v, rect.length * 1.05, rng.uniform(4, 6)), Cover.ASPHALT))
        if rng.random() < 0.15:
            court = rect.at(0, -2.4 * v, 28, 15)
            items.append((court, Cover.PITCH if rng.random() < 0.6 else Cover.RED_COURT))
    return items


def sheds(rng: np.random.Generator, buildings: list[Building], share: float) -> list[Building]:
    """Small outbuildings near houses."""
    made = []
    for building in buildings:
        if building.use not in {Use.HOUSE, Use.VILLA, Use.FARMHOUSE} or rng.random() > share:
            continue
        rect = building.rect
        size = rng.uniform(2.2, 4.5)
        u = rng.choice([-1, 1]) * rng.uniform(0.1, 0.45) * rect.length
        v = rng.choice([-1, 1]) * (rect.width / 2 + rng.uniform(3, 9))
        spot = rect.at(float(u), float(v), size * rng.uniform(1, 1.7), size)
        made.append(design(rng, Use.HUT, spot))
    return made


def lay_yard(land: Land, items: list[Item]) -> None:
    """Put a yard on the land's rasters, in place."""
    for rect, cover in items:
        pixels = rect_pixels(land.grid, rect)
        if pixels is None:
            continue
        window = pixels.window
        where = (pixels.cover > 0.5) & ~land.street[window] & (land.elevation[window] > 1.8)
        land.surface[window][where] = land.surface_of(cover)
        land.trees[window][where] = 0


def _to_street(land: Land, rect: Rect) -> tuple[int, float] | None:
    """Side (along the width) and distance of the nearest street, None if it is far."""
    reach = np.arange(rect.width / 2 + 1, rect.width / 2 + 26, 1.0)
    c, s = np.cos(rect.angle), np.sin(rect.angle)
    best: tuple[int, float] | None = None
    for side in (-1, 1):
        x, y = rect.x - side * reach * s, rect.y + side * reach * c
        hit = np.flatnonzero(land.street[land.grid.cell(x, y)])
        if hit.size and (best is None or reach[hit[0]] < best[1]):
            best = side, float(reach[hit[0]])
    return best
