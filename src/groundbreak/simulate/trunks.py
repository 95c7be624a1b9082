"""Lines across the land: trunk roads, railways, rivers and canals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from groundbreak.simulate.grid import Frame
from groundbreak.simulate.land import NOWHERE, Land
from groundbreak.simulate.noise import noise
from groundbreak.simulate.surfaces import Cover

_WILD = (
    Cover.GRASS,
    Cover.SCRUB,
    Cover.SOIL,
    Cover.DRY_GROUND,
    Cover.CLEARED,
    Cover.FALLOW,
    Cover.DIRT_YARD,
)


@dataclass(frozen=True)
class Lane:
    """A stripe of a profile: from ``low`` to ``high`` metres of the axis, on both sides."""

    low: float
    high: float
    cover: Cover


def highway(rng: np.random.Generator) -> list[Lane]:
    """Two carriageways, a planted median, verges."""
    wide = float(rng.uniform(7, 11))
    median = float(rng.uniform(0.8, 3.0))
    return [
        Lane(0, median + wide + rng.uniform(2, 7), Cover.GRASS),
        Lane(median, median + wide, Cover.ASPHALT),
        Lane(median + 0.3, median + 0.5, Cover.PAINT),
        Lane(median + wide - 0.9, median + wide - 0.7, Cover.PAINT),
        Lane(0, median, Cover.SCRUB if rng.random() < 0.5 else Cover.CONCRETE),
    ]


def road(rng: np.random.Generator) -> list[Lane]:
    """A two-lane road with shoulders."""
    wide = float(rng.uniform(3.2, 5.5))
    shoulder = Cover.GRAVEL if rng.random() < 0.6 else Cover.GRASS
    lanes = [
        Lane(0, wide + rng.uniform(0.8, 2.5), shoulder),
        Lane(0, wide, Cover.ASPHALT if rng.random() < 0.8 else Cover.CONCRETE),
    ]
    if rng.random() < 0.6:
        lanes += [Lane(0, 0.1, Cover.PAINT), Lane(wide - 0.5, wide - 0.35, Cover.PAINT)]
    return lanes


def railway(rng: np.random.Generator) -> list[Lane]:
    """One or two tracks on ballast."""
    lanes = [Lane(0, 6.5, Cover.GRASS)]
    for track in [0.0] if rng.random() < 0.4 else [2.2]:
        lanes += [
            Lane(max(track - 1.7, 0), track + 1.7, Cover.BALLAST),
            Lane(abs(track - 0.75), abs(track - 0.75) + 0.15, Cover.RAIL),
            Lane(track + 0.68, track + 0.83, Cover.RAIL),
        ]
    return lanes


def canal(rng: np.random.Generator) -> list[Lane]:
    """Straight banks with a path, water between them."""
    wide = float(rng.uniform(4, 16))
    bank = Cover.CONCRETE if rng.random() < 0.5 else Cover.GRASS
    return [
        Lane(0, wide + 7, Cover.PATH),
        Lane(0, wide + 4, bank),
        Lane(0, wide, Cover.POND),
    ]


def river(rng: np.random.Generator) -> list[Lane]:
    """Water between bars of gravel and scrub."""
    wide = float(rng.uniform(5, 30))
    return [
        Lane(0, wide * rng.uniform(1.3, 1.8), Cover.SCRUB),
        Lane(0, wide * rng.uniform(1.0, 1.3), Cover.GRAVEL),
        Lane(0, wide, Cover.POND),
    ]


def draw_paths(rng: np.random.Generator, land: Land, count: int) -> None:
    """Winding tracks over open ground, in place."""
    x0, y0, x1, y1 = land.grid.extent
    wild = np.array([int(cover) for cover in _WILD], np.uint8)
    open_ground = np.isin(land.table.cover, wild)[land.surface]
    for _ in range(count):
        frame = Frame(
            float(rng.uniform(x0, x1)),
            float(rng.uniform(y0, y1)),
            float(rng.uniform(0, np.pi)),
            float(rng.uniform(2, 14)),
            float(rng.uniform(50, 200)),
            float(rng.uniform(0, 6.28)),
        )
        reach = float(rng.uniform(30, 200))
        wide = float(max(rng.uniform(0.5, 1.6), 0.3 * land.grid.step))
        u, v = frame.to_local(land.grid.x[None, :], land.grid.y[:, None])
        on = (np.abs(v) < wide) & (np.abs(u) < reach) & open_ground
        land.surface[on] = land.surface_of(Cover.PATH)


def draw_trunk(
    rng: np.random.Generator, land: Land, lanes: Sequence[Lane], wander_m: float, ragged_m: float
) -> Land:
    """Lay a line across the middle of the land, in place; returns the plan with its axis.

    Args:
        rng: source of chance.
        land: where.
        lanes: the profile, the outermost first.
        wander_m: amplitude of the bends.
        ragged_m: how uneven its edges are.
    """
    x0, y0, x1, y1 = land.grid.extent
    size = x1 - x0
    frame = Frame(
        float(rng.uniform(x0 + 0.2 * size, x1 - 0.2 * size)),
        float(rng.uniform(y0 + 0.2 * size, y1 - 0.2 * size)),
        float(rng.uniform(0, np.pi)),
        wander_m,
        float(rng.uniform(0.8, 2.0) * max(size, 8 * wander_m)),
        float(rng.uniform(0, 6.28)),
    )
    u, v = frame.to_local(land.grid.x[None, :], land.grid.y[:, None])
    u, v = np.broadcast_arrays(u, v)
    off = np.abs(v)
    if ragged_m:
        off = off + np.float32(ragged_m) * noise(rng, land.grid.shape, 1.5)
    dry = land.elevation > 1.5
    carriage = max(lane.high for lane in lanes if lane.cover not in {Cover.GRASS, Cover.SCRUB})
    for lane in lanes:
        if lane.cover in {Cover.PAINT, Cover.RAIL} and land.grid.step > 0.6:
            continue
        land.surface[(off >= lane.low) & (off < lane.high) & dry] = land.surface_of(lane.cover)
    inside = off < max(lane.high for lane in lanes)
    land.district[inside] = NOWHERE
    paved = any(lane.cover in {Cover.ASPHALT, Cover.CONCRETE} for lane in lanes)
    land.street[(off < carriage) & dry] = paved
    land.trees[inside] = 0
    np.copyto(land.furrow, v, where=inside)
    if not paved or Cover.POND in {lane.cover for lane in lanes}:
        return land
    return replace(land, trunks=(*land.trunks, frame))
