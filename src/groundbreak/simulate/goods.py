"""Clutter of yards and building sites: crates, pallets, tanks, heaps, skips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundbreak.simulate.buildings import Building, Use
from groundbreak.simulate.land import Land
from groundbreak.simulate.layers import Layers, Rect, lay, raise_to, rect_pixels
from groundbreak.simulate.surfaces import Cover
from groundbreak.types import FloatArray

_COLOURS = np.array(
    [
        (0.30, 0.29, 0.27, 0.32),
        (0.16, 0.15, 0.145, 0.18),
        (0.24, 0.19, 0.14, 0.28),
        (0.45, 0.45, 0.44, 0.46),
        (0.10, 0.17, 0.28, 0.22),
        (0.27, 0.12, 0.085, 0.30),
        (0.09, 0.085, 0.08, 0.11),
    ],
    np.float32,
)
_OPEN_YARDS = (Cover.CONCRETE, Cover.PAVED_YARD, Cover.GRAVEL, Cover.CLEARED, Cover.DIRT_YARD)


@dataclass(frozen=True)
class Thing:
    """Something that lies about: ``round`` ones are tanks and heaps; ``stays`` at all dates."""

    rect: Rect
    colour: FloatArray
    height: float
    round: bool
    stays: bool


def scatter(
    rng: np.random.Generator, land: Land, buildings: list[Building], limit: int = 260
) -> list[Thing]:
    """Things beside halls and on open yards."""
    x0, y0, x1, y1 = land.grid.extent
    spots = []
    for building in buildings:
        if building.use is Use.HALL:
            rect = building.rect
            for _ in range(int(rng.poisson(3.0))):
                along = rng.uniform(-0.55, 0.55) * rect.length
                across = rng.choice([-1, 1]) * (rect.width / 2 + rng.uniform(1.5, 10))
                spots.append(rect.at(float(along), float(across), 1.0, 1.0))
    loose = int(min(220, (x1 - x0) * (y1 - y0) / 300))
    for x, y in rng.uniform([x0, y0], [x1, y1], (loose, 2)):
        spots.append(Rect(float(x), float(y), 1.0, 1.0, float(rng.uniform(0, np.pi))))
    things = []
    for spot in spots:
        cell = land.grid.pixel(spot.x, spot.y)
        cover = land.table.cover[land.surface[cell]]
        if cover in _OPEN_YARDS and not land.street[cell] and land.elevation[cell] > 1.8:
            things.append(_thing(rng, spot))
    if len(things) > limit:
        kept = np.sort(rng.choice(len(things), limit, replace=False))
        things = [things[k] for k in kept]
    return things


def draw_things(layers: Layers, things: list[Thing]) -> None:
    """Draw them, unless something stands there."""
    for thing in things:
        if thing.rect.length < 0.8 * layers.grid.step:
            continue
        pixels = rect_pixels(layers.grid, thing.rect)
        if pixels is None or layers.height[pixels.window].max() > 0.5:
            continue
        cover = pixels.cover
        height: FloatArray | float = thing.height
        if thing.round:
            away = np.hypot(pixels.u, pixels.v) / (thing.rect.length / 2)
            cover = np.clip((1 - away) * 3, 0, 1).astype(np.float32)
            height = (thing.height * np.clip(1.6 * (1 - away), 0, 1)).astype(np.float32)
        tone = 1 + np.float32(0.12) * layers.grain[pixels.window]
        lay(layers, pixels.window, cover, thing.colour[: layers.bands] * tone[..., None])
        raise_to(layers, pixels.window, cover, height)


def _thing(rng: np.random.Generator, spot: Rect) -> Thing:
    is_round = bool(rng.random() < 0.25)
    size = float(np.exp(rng.normal(np.log(2.6), 0.5)))
    long = size if is_round else size * rng.uniform(1, 2.6)
    return Thing(
        rect=spot.at(0, 0, long, size),
        colour=_COLOURS[rng.integers(len(_COLOURS))] * np.float32(rng.uniform(0.8, 1.2)),
        height=float(rng.uniform(0.4, 2.6)),
        round=is_round,
        stays=bool(rng.random() < 0.6),
    )
