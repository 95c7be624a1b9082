"""Berths that never were: cut into a real coast, or built out from it."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from groundbreak.slipmaking.noise import smooth_noise
from groundbreak.slipmaking.structures import Edit, Fill, View
from groundbreak.types import BoolArray, FloatArray


def cut_berth(rng: np.random.Generator, view: View, fill: Fill) -> Edit:
    """Cut one basin, or a row of slips, into the coast, with quay walls and an apron.

    Raises:
        ValueError: the view has no coast with room for it.
    """
    coast = _Coast(view)
    for _ in range(40):
        x, y, inland = coast.somewhere(rng)
        inland += rng.normal(0.0, 0.25)
        width, length = _size(rng, view.gsd_m)
        along, depth = coast.frame(x, y, inland)
        count = int(rng.choice([1, 1, 1, 2, 3]))
        gap = rng.uniform(0.6, 1.6) * width
        cut = np.zeros_like(view.water)
        for n in range(count):
            middle = (n - (count - 1) / 2) * (width + gap)
            cut |= (np.abs(along - middle) < width / 2) & (np.abs(depth - length / 2) < length / 2)
        inside = cut & (coast.margin > 3)
        room = ndimage.binary_dilation(cut, iterations=3)
        if inside.sum() < cut.sum() or (cut & ~coast.land).sum() > 0.15 * cut.sum():
            continue
        if (room & (view.berths > 0)).any() or cut.sum() < 12:
            continue
        # A way to the water, where the shore is uneven.
        reach = np.abs(along) < (width if count == 1 else count * (width + gap)) / 2
        way = cut | (
            reach
            & (depth > -max(4, 40 / view.gsd_m))
            & (depth <= 0)
            & _same_column(cut, along, depth, width)
        )
        new = way & coast.land
        if not _opens(new, view.water):
            continue
        pixels = view.pixels
        if rng.random() < 0.75:
            pixels = _apron(rng, pixels, view, new)
        region = ndimage.binary_dilation(new, iterations=1) & (cut | view.water | way)
        pixels = fill(rng, pixels, region, view.water & ~region, view.sea)
        if rng.random() < 0.5:
            pixels = _muddy(rng, pixels, region)
        return Edit(pixels, view.water | new, new, np.zeros_like(new))
    raise ValueError("the coast has no room for a berth")


def _opens(new: BoolArray, water: BoolArray) -> bool:
    """Whether every part of a basin meets water."""
    parts, count = ndimage.label(new)
    meets = np.unique(parts[ndimage.binary_dilation(water)])
    return count > 0 and np.count_nonzero(meets) == count


def build_piers(rng: np.random.Generator, view: View) -> Edit:
    """Build two to four piers out from the coast: the water between them is berth water.

    Raises:
        ValueError: the view has no coast with room for it.
    """
    coast = _Coast(view)
    for _ in range(40):
        x, y, inland = coast.somewhere(rng)
        inland += rng.normal(0.0, 0.2)
        width, length = _size(rng, view.gsd_m)
        along, depth = coast.frame(x, y, inland)
        seaward = -depth
        count = int(rng.integers(2, 5))
        thick = max(rng.uniform(15, 70) / view.gsd_m, 1.5)
        pitch = width + thick
        reach = rng.uniform(0.75, 1.0, count) * length
        piers, between = np.zeros_like(view.water), np.zeros_like(view.water)
        for n in range(count):
            middle = (n - (count - 1) / 2) * pitch
            piers |= (np.abs(along - middle) < thick / 2) & (seaward < reach[n]) & (seaward > -4)
            if n:
                limit = min(reach[n], reach[n - 1])
                here = np.abs(along - middle + pitch / 2) < width / 2
                between |= here & (seaward < limit) & (seaward > -4)
        piers &= view.water
        between &= view.water
        both = piers | between
        wanted = (count * thick + (count - 1) * width) * length
        if both.sum() < 0.6 * wanted or (both & (coast.margin < 4)).any():
            continue
        room = ndimage.binary_dilation(both, iterations=_px(80, view.gsd_m))
        if (room & (view.berths > 0)).any() or not _moored_to_land(piers, coast.land):
            continue
        pixels = _deck(rng, view, piers)
        beside = ndimage.binary_dilation(piers, iterations=_px(70, view.gsd_m)) & view.water
        unsure = (beside | ndimage.binary_dilation(piers, iterations=2)) & ~between
        return Edit(pixels, view.water & ~piers, between, unsure)
    raise ValueError("the coast has no room for a berth")


def build_breakwater(rng: np.random.Generator, view: View) -> Edit:
    """A mole built out into the sea: new, but no berth.

    Raises:
        ValueError: the view has no coast with room for it.
    """
    coast = _Coast(view)
    for _ in range(30):
        x, y, inland = coast.somewhere(rng)
        along, depth = coast.frame(x, y, inland + rng.normal(0.0, 0.5))
        length = rng.uniform(200, 900) / view.gsd_m
        bent = along + rng.normal(0.0, 0.5) * depth**2 / max(length, 1)
        thick = max(rng.uniform(10, 25) / view.gsd_m, 1.2)
        mole = (np.abs(bent) < thick / 2) & (-depth < length) & (-depth > -3) & view.water
        if mole.sum() < 0.4 * thick * min(length, 60):
            continue
        pixels = _deck(rng, view, mole)
        none = np.zeros_like(mole)
        return Edit(pixels, view.water & ~mole, none, none)
    raise ValueError("the coast has no room for a mole")


def flood(rng: np.random.Generator, view: View, fill: Fill) -> Edit:
    """A pond, a reservoir or a flood on land, of no straight side: new water, but no berth.

    Raises:
        ValueError: the view has too little land, or the port too little water.
    """
    land = view.valid & (ndimage.distance_transform_edt(~view.water) > 4) & (view.berths == 0)
    field = smooth_noise(rng, land.shape, rng.uniform(15, 60)) + 0.4 * smooth_noise(
        rng, land.shape, 9.0
    )
    if land.sum() < 400:
        raise ValueError("there is too little land to flood")
    # Flat, dark ground floods; towns do so too.
    region = land & (field > np.quantile(field[land], rng.uniform(0.9, 0.985)))
    region = ndimage.binary_opening(region, iterations=2)
    if region.sum() < 30:
        raise ValueError("there is too little land to flood")
    pixels = fill(rng, view.pixels, region, view.water, view.sea)
    pixels = _muddy(rng, pixels, region)
    none = np.zeros_like(region)
    return Edit(pixels, view.water | region, none, none)


def dig(rng: np.random.Generator, view: View) -> Edit:
    """Bare, levelled ground with straight sides on land: works, but no berth and no building.

    Raises:
        ValueError: the view has too little land.
    """
    land = view.valid & (ndimage.distance_transform_edt(~view.water) > 2)
    rows, columns = np.nonzero(land)
    if rows.size < 400:
        raise ValueError("there is too little land to dig")
    n = int(rng.integers(rows.size))
    along, depth = _frame(
        land.shape, float(columns[n]), float(rows[n]), float(rng.uniform(0, math.pi))
    )
    width, length = _size(rng, view.gsd_m)
    region = (np.abs(along) < width) & (np.abs(depth) < length / 2) & land
    pixels = _apron(rng, view.pixels, view, region, whole=True)
    none = np.zeros_like(region)
    return Edit(pixels, view.water, none, none)


class _Coast:
    """Shore pixels of a view and the direction inland at each."""

    def __init__(self, view: View) -> None:
        sea = _largest(ndimage.binary_opening(view.water, iterations=3))
        # What is not sea is land: shadows and pools inland are no reason to leave a gap.
        self.land = view.valid & ~ndimage.binary_dilation(sea, iterations=3, mask=view.water)
        body = ndimage.binary_opening(self.land, iterations=2)
        shore = ndimage.binary_dilation(sea, iterations=3) & ndimage.binary_dilation(
            body, iterations=3
        )
        shore &= view.berths == 0
        self.rows, self.columns = np.nonzero(shore)
        if self.rows.size < 30:
            raise ValueError("the view has no coast")
        smooth = ndimage.gaussian_filter(body.astype(np.float32), 4.0)
        self.slope = np.gradient(smooth)
        self.margin = ndimage.distance_transform_edt(np.pad(view.valid, 1))[1:-1, 1:-1]
        self.shape = view.water.shape

    def somewhere(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """(x, y, angle inland from the x axis) of a random shore pixel."""
        n = int(rng.integers(self.rows.size))
        y, x = int(self.rows[n]), int(self.columns[n])
        return float(x), float(y), math.atan2(self.slope[0][y, x], self.slope[1][y, x])

    def frame(self, x: float, y: float, inland: float) -> tuple[FloatArray, FloatArray]:
        """Per pixel: distance along the shore and inland from the point."""
        return _frame(self.shape, x, y, inland)


def _largest(water: BoolArray) -> BoolArray:
    """Bodies of water that take up a fiftieth of the view at least."""
    bodies, count = ndimage.label(water)
    large = np.bincount(bodies.ravel(), minlength=count + 1) > water.size / 50
    large[0] = False
    return large[bodies]


def _frame(
    shape: tuple[int, int], x: float, y: float, angle: float
) -> tuple[FloatArray, FloatArray]:
    rows, columns = np.indices(shape, dtype=np.float32)
    dx, dy = columns - x, rows - y
    depth = dx * math.cos(angle) + dy * math.sin(angle)
    along = dy * math.cos(angle) - dx * math.sin(angle)
    return along, depth


def _size(rng: np.random.Generator, gsd_m: float) -> tuple[float, float]:
    """Width and length of a berth in pixels, from a small dry dock to a container basin."""
    width = max(float(np.exp(rng.uniform(np.log(28), np.log(170)))), 3.0 * gsd_m)
    length = width * rng.uniform(1.6, 6.0)
    return width / gsd_m, float(np.clip(length, 80, 600)) / gsd_m


def _px(metres: float, gsd_m: float) -> int:
    return max(1, round(metres / gsd_m))


def _same_column(cut: BoolArray, along: FloatArray, depth: FloatArray, width: float) -> BoolArray:
    """Pixels in front of a cut, by their distance along the shore."""
    edge = np.round(along[cut & (depth < 3)]).astype(int)
    return np.isin(np.round(along).astype(int), edge) & (width > 0)


def _moored_to_land(piers: BoolArray, land: BoolArray) -> bool:
    parts, count = ndimage.label(piers)
    touching = np.unique(parts[ndimage.binary_dilation(land, iterations=2)])
    return count > 0 and bool(np.isin(np.arange(1, count + 1), touching).all())


def _concrete(rng: np.random.Generator, view: View, shape: tuple[int, int]) -> FloatArray:
    """Paved ground: the tone of bright land here, with joints, stacks and dirt."""
    grey = view.pixels.mean(axis=0)
    land = ~view.water & view.valid
    sample = view.pixels[:, land & (grey > np.quantile(grey[land], 0.45))]
    colour = sample[:, rng.integers(sample.shape[1], size=12)].mean(axis=1)
    colour = colour * rng.uniform(0.75, 1.15)
    grain = smooth_noise(rng, shape, 1.5) * 0.05 + smooth_noise(rng, shape, 6.0) * 0.06
    return (colour[:, None, None] * (1 + grain)).astype(np.float32)


def _apron(
    rng: np.random.Generator, pixels: FloatArray, view: View, new: BoolArray, whole: bool = False
) -> FloatArray:
    """Pave a strip around a basin (or the ground itself); a bright line along the quay wall."""
    distance = ndimage.distance_transform_edt(~new)
    wide = rng.uniform(8, 50) / view.gsd_m
    strip = (distance <= wide) & ~view.water & view.valid & (whole | ~new)
    weight = ndimage.gaussian_filter(strip.astype(np.float32), 0.5) * rng.uniform(0.6, 1.0)
    paved = _concrete(rng, view, new.shape)
    out = pixels + weight * (paved - pixels)
    if rng.random() < 0.5:
        wall = (distance > 0) & (distance <= max(1.0, 4.0 / view.gsd_m)) & strip
        out = np.where(wall, out * rng.uniform(1.05, 1.3), out)
    return out.astype(np.float32)


def _deck(rng: np.random.Generator, view: View, piers: BoolArray) -> FloatArray:
    """Piers of paved ground, or of ground copied from the port."""
    out = view.pixels
    ground = _concrete(rng, view, piers.shape)
    usable = view.land.usable
    rows, columns = np.nonzero(piers)
    y, x = rows + view.land.origin[0], columns + view.land.origin[1]
    for _ in range(80):
        dy, dx = (int(d) for d in rng.integers(-200, 201, 2))
        ty, tx = y + dy, x + dx
        inside = (ty >= 0) & (tx >= 0) & (ty < usable.shape[0]) & (tx < usable.shape[1])
        if inside.all() and usable[ty, tx].mean() > 0.9:
            if rng.random() < 0.6:
                ground[:, rows, columns] = view.land.pixels[:, ty, tx]
            break
    weight = ndimage.gaussian_filter(piers.astype(np.float32), 0.45)
    weight = np.clip(weight * 1.3, 0, 1)
    return (out + weight * (ground - out)).astype(np.float32)


def _muddy(rng: np.random.Generator, pixels: FloatArray, region: BoolArray) -> FloatArray:
    """Stirred sediment in new water."""
    weight = ndimage.gaussian_filter(region.astype(np.float32), 0.8) * region
    colour = np.array([0.06, 0.055, 0.03, 0.015]) * rng.uniform(0.1, 1.0)
    return (pixels + weight * colour[: pixels.shape[0], None, None]).astype(np.float32)
