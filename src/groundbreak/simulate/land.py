"""The lie of the land: coast, terrain, neighbourhoods, plots and streets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.districts import STYLES, Style
from groundbreak.simulate.grid import DrawGrid, Frame, Strips, cut_strips
from groundbreak.simulate.noise import noise
from groundbreak.simulate.surfaces import Cover, SurfaceTable
from groundbreak.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Coast:
    """A shore: sea where ``distance`` < 0. ``normal`` (radians) points inland.

    ``slope`` is the fall of the beach; ``swing`` the amplitude of its bays in metres.
    """

    x: float
    y: float
    normal: float
    swing: float
    wavelength: float
    phase: float
    slope: float

    def distance(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
        """Metres inland from the smooth shore."""
        c, s = np.cos(self.normal), np.sin(self.normal)
        across = (x - self.x) * c + (y - self.y) * s
        along = -(x - self.x) * s + (y - self.y) * c
        k = 2 * np.pi / self.wavelength
        bays = np.sin(k * along + self.phase) + 0.45 * np.sin(2.7 * k * along + 2 * self.phase)
        return across - self.swing * bays

    @property
    def frame(self) -> Frame:
        """Local axes with u along the shore and v inland."""
        return Frame(self.x, self.y, self.normal - np.pi / 2, 0.0, 1.0, 0.0)


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
    def street_surface(self) -> int:
        """Surface row of the streets, after those of the plots."""
        return self.first + self.strips.count


@dataclass(frozen=True)
class Land:
    """Ground rasters and the plots that made them.

    ``elevation`` (h, w) metres above mean sea; ``surface`` (h, w) row of ``table`` that covers
    the pixel; ``furrow`` (h, w) metres across the direction of ploughing; ``trees`` (h, w)
    density of crowns; ``street`` (h, w); ``district`` (h, w).
    """

    grid: DrawGrid
    coast: Coast | None
    elevation: FloatArray
    surface: NDArray[np.int32]
    furrow: FloatArray
    trees: FloatArray
    street: BoolArray
    district: NDArray[np.int8]
    districts: tuple[District, ...]
    table: SurfaceTable
    generic: int

    def surface_of(self, cover: Cover) -> int:
        """The surface row of a cover that belongs to no plot."""
        return self.generic + int(cover)


def build_land(
    rng: np.random.Generator,
    grid: DrawGrid,
    weights: Mapping[str, float],
    coast: Coast | None,
    aridity: float,
    patch_m: float = 260.0,
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
    h, w = grid.shape
    x = np.broadcast_to(grid.x[None, :], (h, w))
    y = np.broadcast_to(grid.y[:, None], (h, w))
    elevation = _elevation(rng, grid, coast, x, y)
    (district_map, names), border = _partition(rng, grid, weights, patch_m)
    surface = np.zeros((h, w), np.int32)
    furrow = np.zeros((h, w), np.float32)
    trees = np.zeros((h, w), np.float32)
    street = np.zeros((h, w), bool)
    covers: list[NDArray[np.uint8]] = []
    districts = []
    first = 0
    angle = rng.uniform(0, np.pi)
    for number, name in enumerate(names):
        where = np.flatnonzero(district_map == number)
        made = _district(rng, grid, name, first, angle, where)
        districts.append(made)
        first += made.strips.count + 1
        covers.append(_plot_covers(rng, made))
        if where.size:
            _lay_district(
                rng, made, covers[-1], where, (x, y, border), (surface, furrow, trees, street)
            )
    cover = np.concatenate([*covers, np.arange(len(Cover), dtype=np.uint8)])
    chance = rng.random((cover.size, 4), np.float32)
    return Land(
        grid,
        coast,
        elevation,
        surface,
        furrow,
        trees,
        street,
        district_map,
        tuple(districts),
        SurfaceTable(cover, chance, aridity),
        first,
    )


def _elevation(
    rng: np.random.Generator,
    grid: DrawGrid,
    coast: Coast | None,
    x: FloatArray,
    y: FloatArray,
) -> FloatArray:
    size_m = grid.step * max(grid.shape)
    relief = noise(rng, grid.shape, 2.0) * np.float32(size_m * rng.uniform(0.0, 0.012))
    relief += noise(rng, grid.shape, 1.5) * np.float32(min(0.0012 * size_m, 0.35))
    if coast is None:
        return (30.0 + relief).astype(np.float32)
    shore = coast.distance(x, y).astype(np.float32)
    shore += noise(rng, grid.shape, 1.5) * np.float32(5.0)
    beach = np.float32(3.0)
    land = (
        np.minimum(shore * coast.slope, beach) + np.maximum(shore - beach / coast.slope, 0) * 0.01
    )
    inland = np.clip(shore / 120.0, 0, 1)
    return np.where(shore > 0, land + relief * inland, shore * coast.slope).astype(np.float32)


def _partition(
    rng: np.random.Generator, grid: DrawGrid, weights: Mapping[str, float], patch_m: float
) -> tuple[tuple[NDArray[np.int8], list[str]], FloatArray]:
    """Voronoi cells with ragged borders; also the distance to the nearest border in metres."""
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
    return (owner, chosen), ((second - nearest) / 2).astype(np.float32)


def _district(
    rng: np.random.Generator,
    grid: DrawGrid,
    name: str,
    first: int,
    angle: float,
    where: NDArray[np.intp],
) -> District:
    style = STYLES[name]
    x0, y0, x1, y1 = grid.extent
    if where.size:
        rows, cols = np.divmod(where, grid.shape[1])
        cx, cy = float(grid.x[cols].mean()), float(grid.y[rows].mean())
        reach = float(np.hypot(np.ptp(grid.x[cols]), np.ptp(grid.y[rows]))) / 2 + 60
    else:
        cx, cy, reach = (x0 + x1) / 2, (y0 + y1) / 2, 50.0
    own = angle + rng.normal(0, 0.5) if rng.random() < 0.5 else angle + rng.normal(0, 0.03)
    if name in {"village", "blocks", "greenhouses"}:
        own = rng.normal(0, 0.12)  # they face south
    frame = Frame(
        cx, cy, own, style.bend_m * rng.random(), rng.uniform(180, 420), rng.uniform(0, 6.28)
    )
    return District(
        name, frame, cut_strips(rng, style.rule, reach + 30), rng.uniform(*style.street_m), first
    )


def _plot_covers(rng: np.random.Generator, district: District) -> NDArray[np.uint8]:
    style = district.style
    options = np.array([int(cover) for cover in style.covers], np.uint8)
    share = np.array(list(style.covers.values()), float)
    plots = rng.choice(options, district.strips.count, p=share / share.sum())
    return np.append(plots, np.uint8(style.street))


def _lay_district(
    rng: np.random.Generator,
    district: District,
    covers: NDArray[np.uint8],
    where: NDArray[np.intp],
    ground: tuple[FloatArray, FloatArray, FloatArray],
    rasters: tuple[NDArray[np.int32], FloatArray, FloatArray, BoolArray],
) -> None:
    x, y, border = (array.reshape(-1)[where] for array in ground)
    surface, furrow, trees, street = (array.reshape(-1) for array in rasters)
    style = district.style
    u, v = district.frame.to_local(x, y)
    cell, edge, to_street, side = district.strips.locate(u, v)
    is_street = np.zeros(where.size, bool)
    if district.street_m:
        is_street = (to_street < district.street_m / 2) | (border < district.street_m / 2)
    surface[where] = district.first + np.where(is_street, district.strips.count, cell)
    lengthwise = rng.random(district.strips.count) < 0.35
    furrow[where] = np.where(lengthwise[cell], v, u)
    street[where] = is_street
    density = np.full(where.size, np.float32(style.trees))
    if style.hedge:
        planted = rng.random(district.strips.count) < style.hedge
        near = np.minimum(np.minimum(edge, side), np.where(to_street > 0, to_street, 99)) < 4.0
        density = np.where(planted[cell] & near, 0.75, density)
    open_water = covers[cell] == Cover.POND
    trees[where] = np.where(is_street | open_water, 0, density)
