"""The ground plan: neighbourhoods, their plots and streets, and what covers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.districts import STYLES, Style
from groundbreak.simulate.grid import DrawGrid, Frame, Strips, cut_strips
from groundbreak.simulate.noise import noise
from groundbreak.simulate.surfaces import Cover, SurfaceTable
from groundbreak.simulate.terrain import Coast, elevation
from groundbreak.types import BoolArray, FloatArray


class Extra(IntEnum):
    """Surface rows of a neighbourhood that follow those of its plots."""

    STREET = 0
    WALK = 1
    FENCE = 2
    PAINT = 3


NOWHERE = -1
"""District of pixels that belong to none: trunk roads, rivers, quays."""


@dataclass(frozen=True)
class District:
    """One neighbourhood with its own axes and plots; ``first`` is its first surface row."""

    style_name: str
    frame: Frame
    strips: Strips
    street_m: float
    first: int

    @property
    def style(self) -> Style:
        """The style's record."""
        return STYLES[self.style_name]

    @property
    def rows(self) -> int:
        """How many surface rows it has."""
        return self.strips.count + len(Extra)

    def surface_of(self, which: Extra) -> int:
        """A surface row that is no plot."""
        return self.first + self.strips.count + which


@dataclass(frozen=True)
class Land:
    """Ground rasters and the plots that made them.

    ``elevation`` (h, w) metres above mean sea; ``surface`` (h, w) row of ``table`` that covers
    the pixel; ``furrow`` (h, w) metres across the direction of ploughing; ``trees`` (h, w)
    density of crowns; ``street`` (h, w); ``district`` (h, w) number or ``NOWHERE``; ``border``
    (h, w) metres to the next district. ``trunks`` are the axes of trunk roads. ``generic`` is
    the first of the rows that stand for a cover anywhere, one per cover.
    """

    grid: DrawGrid
    coast: Coast | None
    elevation: FloatArray
    surface: NDArray[np.int32]
    furrow: FloatArray
    trees: FloatArray
    street: BoolArray
    district: NDArray[np.int8]
    border: FloatArray
    districts: tuple[District, ...]
    table: SurfaceTable
    generic: int
    trunks: tuple[Frame, ...] = ()

    def surface_of(self, cover: Cover) -> int:
        """The surface row of a cover that belongs to no plot."""
        return self.generic + int(cover)


def build_land(
    rng: np.random.Generator,
    grid: DrawGrid,
    weights: Mapping[str, float],
    coast: Coast | None,
    aridity: float,
    patch_m: float,
) -> Land:
    """Lay out the ground.

    Args:
        rng: source of chance.
        grid: raster to draw on.
        weights: how often each style of neighbourhood occurs.
        coast: the shore, None inland.
        aridity: 0 lush to 1 desert.
        patch_m: typical size of a neighbourhood.
    """
    owner, names, border = _partition(rng, grid, weights, patch_m)
    generic = np.arange(len(Cover), dtype=np.uint8)
    land = Land(
        grid=grid,
        coast=coast,
        elevation=elevation(rng, grid, coast),
        surface=np.zeros(grid.shape, np.int32),
        furrow=np.zeros(grid.shape, np.float32),
        trees=np.zeros(grid.shape, np.float32),
        street=np.zeros(grid.shape, bool),
        district=owner,
        border=border,
        districts=(),
        table=SurfaceTable(generic, rng.random((generic.size, 4), np.float32), aridity),
        generic=0,
    )
    angle = float(rng.uniform(0, np.pi))
    for number, name in enumerate(names):
        land = _lay(rng, land, number, name, angle)
    return land


def relaid(rng: np.random.Generator, land: Land, number: int, style_name: str) -> Land:
    """The same land with one district in another style: what was there before, or after."""
    fresh = replace(
        land,
        surface=land.surface.copy(),
        furrow=land.furrow.copy(),
        trees=land.trees.copy(),
        street=land.street.copy(),
    )
    return _lay(rng, fresh, number, style_name, land.districts[number].frame.angle)


def _partition(
    rng: np.random.Generator, grid: DrawGrid, weights: Mapping[str, float], patch_m: float
) -> tuple[NDArray[np.int8], list[str], FloatArray]:
    """Voronoi cells with ragged borders: owner, styles, metres to the nearest border."""
    h, w = grid.shape
    x0, y0, x1, y1 = grid.extent
    count = int(np.clip(round((x1 - x0) * (y1 - y0) / patch_m**2), 1, 14))
    seeds = rng.uniform([x0, y0], [x1, y1], (count, 2)).astype(np.float32)
    names = list(weights)
    share = np.array([weights[name] for name in names], float)
    chosen = [names[i] for i in rng.choice(len(names), count, p=share / share.sum())]
    warp = np.float32(0.10 * patch_m * rng.random())
    x = grid.x[None, :] + warp * noise(rng, grid.shape, 2.0)
    y = grid.y[:, None] + warp * noise(rng, grid.shape, 2.0)
    nearest = np.full((h, w), np.float32(1e9))
    second = np.full((h, w), np.float32(1e9))
    owner = np.zeros((h, w), np.int8)
    for number, (sx, sy) in enumerate(seeds):
        distance = np.hypot(x - sx, y - sy)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        nearest = np.where(closer, distance, nearest)
        owner[closer] = number
    return owner, chosen, ((second - nearest) / 2).astype(np.float32)


def _lay(rng: np.random.Generator, land: Land, number: int, name: str, angle: float) -> Land:
    """Cut one district into plots and lay them on the rasters, in place; returns the new plan."""
    where = np.flatnonzero(land.district == number)
    made = _district(rng, land, name, angle, where)
    style = made.style
    options = np.array([int(cover) for cover in style.covers], np.uint8)
    share = np.array(list(style.covers.values()), float)
    plots = rng.choice(options, made.strips.count, p=share / share.sum())
    extras = [style.street, style.walk or style.street, style.fence or Cover.PATH, Cover.PAINT]
    covers = np.append(plots, np.array(extras, np.uint8)).astype(np.uint8)
    if where.size:
        _raster(rng, land, made, covers, where)
    districts = [*land.districts]
    districts[number : number + 1] = [made]
    chance = rng.random((covers.size, 4), np.float32)
    table = SurfaceTable(
        np.concatenate([land.table.cover, covers]),
        np.concatenate([land.table.chance, chance]),
        land.table.aridity,
    )
    return replace(land, districts=tuple(districts), table=table)


def _district(
    rng: np.random.Generator, land: Land, name: str, angle: float, where: NDArray[np.intp]
) -> District:
    style, grid = STYLES[name], land.grid
    x0, y0, x1, y1 = grid.extent
    cx, cy, reach = (x0 + x1) / 2, (y0 + y1) / 2, 50.0
    if where.size:
        rows, cols = np.divmod(where, grid.shape[1])
        cx, cy = float(grid.x[cols].mean()), float(grid.y[rows].mean())
        reach = float(np.hypot(np.ptp(grid.x[cols]), np.ptp(grid.y[rows]))) / 2 + 60
    own = angle + rng.normal(0, 0.5) if rng.random() < 0.5 else angle + rng.normal(0, 0.03)
    if name in {"village", "rows", "blocks", "greenhouses"}:
        own = rng.normal(0, 0.12)  # they face south
    bend, wave, phase = style.bend_m * rng.random(), rng.uniform(180, 420), rng.uniform(0, 6.28)
    strips = cut_strips(rng, style.rule, reach + 30)
    frame = Frame(cx, cy, float(own), float(bend), float(wave), float(phase))
    return District(name, frame, strips, float(rng.uniform(*style.street_m)), land.table.cover.size)


def _raster(
    rng: np.random.Generator,
    land: Land,
    district: District,
    covers: NDArray[np.uint8],
    where: NDArray[np.intp],
) -> None:
    style, step = district.style, land.grid.step
    rows, cols = np.divmod(where, land.grid.shape[1])
    border = land.border.reshape(-1)[where]
    u, v = district.frame.to_local(land.grid.x[cols], land.grid.y[rows])
    cell, edge, to_street, side = district.strips.locate(u, v)
    from_axis = np.minimum(to_street, border)
    half = district.street_m / 2
    is_street = from_axis < half if half else np.zeros(where.size, bool)
    surface = district.first + cell
    if style.fence is not None and step <= 0.8:
        fenced = rng.random(district.strips.count) < 0.75
        line = (np.minimum(side, edge) < max(0.16, 0.4 * step)) & fenced[cell]
        surface = np.where(line, district.surface_of(Extra.FENCE), surface)
    surface = np.where(is_street, district.surface_of(Extra.STREET), surface)
    if style.walk is not None and half:
        walk = (from_axis >= half) & (from_axis < half + style.walk_m)
        surface = np.where(walk, district.surface_of(Extra.WALK), surface)
    if style.painted and step <= 0.4:
        dash = (np.mod(u + v, 9.0) < 4.0) & (to_street < max(0.1, 0.35 * step))
        surface = np.where(dash & is_street, district.surface_of(Extra.PAINT), surface)
    land.surface.reshape(-1)[where] = surface
    lengthwise = rng.random(district.strips.count) < 0.35
    land.furrow.reshape(-1)[where] = np.where(lengthwise[cell], v, u)
    land.street.reshape(-1)[where] = is_street
    density = np.full(where.size, np.float32(style.trees))
    if style.hedge:
        planted = rng.random(district.strips.count) < style.hedge
        near = np.minimum(edge, side) < 4.0
        density = np.where(planted[cell] & near, np.float32(0.75), density)
    open_water = covers[cell] == Cover.POND
    land.trees.reshape(-1)[where] = np.where(is_street | open_water, 0, density)
