"""A whole place: land, what always stands on it, and what comes and goes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.buildings import Building, Use, design, draw_building
from groundbreak.simulate.goods import Thing, draw_things, scatter
from groundbreak.simulate.grid import DrawGrid, Floats
from groundbreak.simulate.land import District, Land
from groundbreak.simulate.layers import Layers, Rect, empty_layers
from groundbreak.simulate.noise import noise
from groundbreak.simulate.port import Port
from groundbreak.simulate.works import Works
from groundbreak.simulate.yards import lay_yard, sheds, yard_of
from groundbreak.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Grain:
    """Noise fields of the place, all (h, w), unit deviation, the same on every date.

    ``patch`` mixes the two colours of a cover, ``rough`` is 1/f texture, ``fine`` is white.
    """

    patch: FloatArray
    rough: FloatArray
    fine: FloatArray


@dataclass(frozen=True)
class World:
    """Everything about a place that does not depend on the date.

    ``fixed`` holds the buildings that stand throughout, drawn already. ``parking`` (n, 3) are
    places where a vehicle may stand: x, y, heading. ``goods``
    lie there at some dates. ``former`` are (until day, land) before it
    became what ``land`` is.
    """

    land: Land
    grain: Grain
    fixed: Layers
    buildings: tuple[Building, ...]
    works: tuple[Works, ...]
    port: Port | None
    parking: FloatArray
    goods: tuple[Thing, ...] = ()
    latitude: float = 40.0
    former: tuple[tuple[float, Land], ...] = ()

    def land_at(self, day: float) -> Land:
        """The ground plan at a day."""
        return next((land for until, land in self.former if day < until), self.land)

    @property
    def grid(self) -> DrawGrid:
        """The raster the place is drawn on."""
        return self.land.grid


def make_grain(rng: np.random.Generator, shape: tuple[int, int]) -> Grain:
    """Draw the place's noise fields."""
    patch = 0.75 * noise(rng, shape, 1.5) + 0.5 * noise(rng, shape, 1.0)
    rough = 0.8 * noise(rng, shape, 1.0) + 0.6 * noise(rng, shape, 0.5)
    fine = 0.7 * noise(rng, shape, 0.5) + 0.7 * noise(rng, shape, 0.0)
    return Grain(patch, rough, fine)


def plots(rng: np.random.Generator, land: Land) -> list[tuple[Rect, Use, int]]:
    """Rectangles for buildings on the land's plots: (rectangle, use, district number)."""
    found = []
    for number, district in enumerate(land.districts):
        if not district.style.use:
            continue
        found += [(rect, use, number) for rect, use in _district_plots(rng, land, district, number)]
    return found


def _district_plots(
    rng: np.random.Generator, land: Land, district: District, number: int
) -> list[tuple[Rect, Use]]:
    style, strips = district.style, district.strips
    u0 = np.concatenate([cut[:-1] for cut in strips.cuts])
    u1 = np.concatenate([cut[1:] for cut in strips.cuts])
    counts = [cut.size - 1 for cut in strips.cuts]
    row = np.repeat(np.arange(len(counts)), counts)
    v0, v1 = strips.rows[row], strips.rows[row + 1]
    v0 = v0 + np.where(strips.street[row], district.street_m / 2, 0)
    v1 = v1 - np.where(strips.street[row + 1], district.street_m / 2, 0)
    if style.crowd > 1:
        parts = rng.integers(1, style.crowd + 1, u0.size)
        which = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        share = np.repeat((u1 - u0) / parts, parts)
        u0 = np.repeat(u0, parts) + which * share
        u1 = u0 + share
        v0, v1, row = np.repeat(v0, parts), np.repeat(v1, parts), np.repeat(row, parts)
    n = u0.size
    keep = rng.random(n) < style.built * rng.uniform(0.75, 1.0)
    (along, across), (long, deep) = style.fill, style.max_size_m
    length = np.minimum((u1 - u0) * rng.uniform(*along, n), long * rng.uniform(0.75, 1.0, n))
    width = np.minimum((v1 - v0) * rng.uniform(*across, n), deep * rng.uniform(0.75, 1.0, n))
    slack = np.maximum((v1 - v0) - width - 1.0, 0)
    towards = np.where(strips.street[row], 0.28, 0.72) + rng.normal(0, 0.05, n)
    u = (u0 + u1) / 2 + rng.normal(0, 0.3, n)
    v = v0 + width / 2 + 0.5 + slack * np.clip(towards, 0, 1)
    x, y = district.frame.to_world(u, v)
    heading = district.frame.heading(x, y)
    smallest = max(2.0, 0.8 * land.grid.step)
    keep &= (np.minimum(length, width) > 2.0) & (np.maximum(length, width) > smallest)
    keep &= _fits(land, number, x, y, length, width, heading)
    uses = list(style.use)
    share = np.array(list(style.use.values()), float)
    chosen = rng.choice(len(uses), n, p=share / share.sum())
    result = []
    for i in np.flatnonzero(keep):
        rect = Rect(float(x[i]), float(y[i]), float(length[i]), float(width[i]), float(heading[i]))
        if rect.width > rect.length and uses[chosen[i]] in {Use.HALL, Use.GREENHOUSE}:
            rect = Rect(rect.x, rect.y, rect.width, rect.length, rect.angle + np.pi / 2)
        result.append((rect, uses[chosen[i]]))
    return result


def _fits(
    land: Land,
    number: int,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    length: NDArray[np.floating],
    width: NDArray[np.floating],
    heading: NDArray[np.floating],
) -> BoolArray:
    """Whether the rectangles lie in the district, on dry land and clear of streets."""
    x0, y0, x1, y1 = land.grid.extent
    good = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    c, s = np.cos(heading), np.sin(heading)
    for du, dv in ((0, 0), (-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5), (0, 0.5), (0, -0.5)):
        px = x + du * length * c - dv * width * s
        py = y + du * length * s + dv * width * c
        cell = land.grid.cell(px, py)
        good &= (land.district[cell] == number) & (land.elevation[cell] > 1.8) & ~land.street[cell]
    return good


def design_all(
    rng: np.random.Generator, land: Land, spots: list[tuple[Rect, Use, int]]
) -> list[Building]:
    """Design a building for every spot; a district mostly keeps to one roofing."""
    material: dict[int, str | None] = {}
    for number, district in enumerate(land.districts):
        common = {
            "village": ["tile", "tile", None],
            "rows": ["tile", "tile", None],
            "suburb": ["shingle", "shingle", None],
        }
        options = common.get(district.style_name, [None])
        material[number] = options[rng.integers(len(options))]
    return [
        design(rng, use, rect, material[number] if rng.random() < 0.75 else None)
        for rect, use, number in spots
    ]


@dataclass(frozen=True)
class Plan:
    """What a world is assembled from, apart from its land: see ``World`` for the fields."""

    fixed: list[Building]
    works: list[Works]
    port: Port | None = None
    latitude: float = 40.0
    former: tuple[tuple[float, Land], ...] = ()


def assemble(rng: np.random.Generator, land: Land, bands: int, plan: Plan) -> World:
    """Furnish the yards, draw what stays, and find where vehicles stand."""
    grain = make_grain(rng, land.grid.shape)
    fixed, works = plan.fixed, plan.works
    if land.grid.step <= 1.3:
        for building in fixed:
            lay_yard(land, yard_of(rng, land, building))
        works = [
            item
            if item.building is None
            else replace(item, yard=tuple(yard_of(rng, land, item.building)))
            for item in works
        ]
        fixed = [*fixed, *clear_of(sheds(rng, fixed, 0.4), land)]
    layers = empty_layers(land.grid, bands, grain.rough)
    for building in fixed:
        draw_building(layers, building)
    things = scatter(rng, land, fixed) if land.grid.step < 2.2 else []
    draw_things(layers, [thing for thing in things if thing.stays])
    return World(
        land=land,
        grain=grain,
        fixed=layers,
        buildings=tuple(plan.fixed),
        works=tuple(works),
        port=plan.port,
        parking=parking_places(rng, land, fixed),
        goods=tuple(thing for thing in things if not thing.stays),
        latitude=plan.latitude,
        former=plan.former,
    )


def clear_of(buildings: list[Building], land: Land) -> list[Building]:
    """Those that stand on dry land and not on a street."""
    kept = []
    for building in buildings:
        cell = land.grid.pixel(building.rect.x, building.rect.y)
        if land.elevation[cell] > 1.8 and not land.street[cell]:
            kept.append(building)
    return kept


def parking_places(
    rng: np.random.Generator, land: Land, buildings: list[Building], limit: int = 1200
) -> FloatArray:
    """Places for vehicles: along streets and beside buildings, (n, 3) of x, y, heading."""
    x0, y0, x1, y1 = land.grid.extent
    places: list[Floats] = []
    for district in land.districts:
        style, strips = district.style, district.strips
        if style.street_m[1] < 5 or land.grid.step > 0.9:
            continue
        reach = float(np.hypot(x1 - x0, y1 - y0)) / 2
        for v in strips.rows[strips.street]:
            u = np.arange(-reach, reach, 7.0) + rng.uniform(0, 7)
            u = u[rng.random(u.size) < 0.3]
            side = rng.choice([-1, 1], u.size) * district.street_m * rng.uniform(0.2, 0.36)
            x, y = district.frame.to_world(u, v + side)
            inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
            x, y = x[inside], y[inside]
            if x.size:
                cell = land.grid.cell(x, y)
                on_street = land.street[cell] & (land.elevation[cell] > 1.5)
                x, y = x[on_street], y[on_street]
                places.append(np.stack([x, y, district.frame.heading(x, y)], 1))
    for axis in land.trunks:
        for lane in (-6.5, -2.5, 2.5, 6.5):
            u = np.arange(-600.0, 600.0, 28.0) + rng.uniform(-12, 12, 43)
            x, y = axis.to_world(u, np.full(u.size, lane))
            inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
            x, y = x[inside], y[inside]
            on_street = land.street[land.grid.cell(x, y)]
            heading = axis.heading(x, y)
            places.append(np.stack([x, y, heading], 1)[on_street])
    for building in buildings:
        if building.use in {Use.HUT, Use.GREENHOUSE}:
            continue
        rect = building.rect
        side = rng.choice([-1, 1])
        count = 1 if building.use not in {Use.HALL, Use.BLOCK} else int(rect.length / 3.2)
        along = rect.length / 2 - 1.5 - 3.0 * np.arange(count)
        across = np.full(count, side * (rect.width / 2 + rng.uniform(3.5, 7.0)))
        c, s = np.cos(rect.angle), np.sin(rect.angle)
        px, py = rect.x + along * c - across * s, rect.y + along * s + across * c
        places.append(np.stack([px, py, np.full(count, rect.angle + np.pi / 2)], 1))
    if not places:
        return np.zeros((0, 3), np.float32)
    every = np.concatenate(places).astype(np.float32)
    inside = (every[:, 0] > x0) & (every[:, 0] < x1) & (every[:, 1] > y0) & (every[:, 1] < y1)
    every = every[inside]
    if len(every) > limit:
        every = every[np.sort(rng.choice(len(every), limit, replace=False))]
    return every
