"""Buildings: rectangles with roofs, drawn into the layers; their footprints as polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from shapely import union_all
from shapely.affinity import rotate, translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from groundbreak.simulate.layers import Layers, Rect, RectPixels, lay, raise_to, rect_pixels
from groundbreak.simulate.noise import smooth_line
from groundbreak.types import FloatArray


class Roof(StrEnum):
    """Shapes of roofs."""

    FLAT = "flat"
    GABLE = "gable"
    HIP = "hip"
    SHED = "shed"
    SAWTOOTH = "sawtooth"
    BARREL = "barrel"


class Use(StrEnum):
    """What a building is for; sets its size, height and roof."""

    HOUSE = "house"
    FARMHOUSE = "farmhouse"
    VILLA = "villa"
    ROW = "row"
    HUT = "hut"
    HALL = "hall"
    BLOCK = "block"
    GREENHOUSE = "greenhouse"


@dataclass(frozen=True)
class Part:
    """One rectangle of a building with its roof; ``eave`` and ``rise`` in metres."""

    rect: Rect
    eave: float
    rise: float
    roof: Roof


@dataclass(frozen=True)
class Building:
    """A building: parts that touch, one roof colour (reflectance of four bands).

    ``lines`` is the strength of the lines across the roof, ``weather`` that of its stains;
    ``key`` seeds its details.
    """

    use: Use
    parts: tuple[Part, ...]
    colour: FloatArray
    lines: float
    weather: float
    key: int

    @property
    def footprint(self) -> BaseGeometry:
        """Outline on the ground in the world's plane (x east, y south)."""
        return footprint([part.rect for part in self.parts])

    @property
    def rect(self) -> Rect:
        """The main part's rectangle."""
        return self.parts[0].rect


ROOFS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "tile": (
        (0.235, 0.115, 0.075, 0.30),
        (0.190, 0.095, 0.066, 0.25),
        (0.265, 0.150, 0.100, 0.33),
        (0.170, 0.108, 0.080, 0.22),
    ),
    "shingle": (
        (0.125, 0.118, 0.110, 0.15),
        (0.165, 0.142, 0.118, 0.20),
        (0.098, 0.096, 0.097, 0.12),
        (0.205, 0.190, 0.170, 0.24),
        (0.140, 0.118, 0.098, 0.18),
    ),
    "metal": (
        (0.115, 0.225, 0.420, 0.42),
        (0.135, 0.265, 0.455, 0.45),
        (0.430, 0.430, 0.430, 0.46),
        (0.580, 0.585, 0.590, 0.60),
        (0.320, 0.330, 0.340, 0.36),
        (0.330, 0.130, 0.095, 0.38),
        (0.160, 0.225, 0.170, 0.30),
        (0.250, 0.235, 0.215, 0.28),
    ),
    "flat": (
        (0.265, 0.255, 0.240, 0.29),
        (0.205, 0.200, 0.195, 0.23),
        (0.340, 0.330, 0.310, 0.37),
        (0.550, 0.545, 0.530, 0.56),
        (0.145, 0.143, 0.142, 0.17),
        (0.240, 0.185, 0.150, 0.28),
    ),
    "glass": ((0.330, 0.350, 0.340, 0.45), (0.420, 0.430, 0.415, 0.52), (0.27, 0.30, 0.27, 0.44)),
}


def footprint(rects: Sequence[Rect]) -> BaseGeometry:
    """Union of oriented rectangles as a polygon."""
    shapes = []
    for rect in rects:
        shape = box(-rect.length / 2, -rect.width / 2, rect.length / 2, rect.width / 2)
        shape = rotate(shape, rect.angle, origin=(0, 0), use_radians=True)
        shapes.append(translate(shape, rect.x, rect.y))
    return union_all(shapes)


def design(rng: np.random.Generator, use: Use, rect: Rect, material: str | None = None) -> Building:
    """Design a building of a use within a rectangle (its largest extent)."""
    maker = {
        Use.HOUSE: _house,
        Use.VILLA: _villa,
        Use.FARMHOUSE: _farmhouse,
        Use.ROW: _row,
        Use.HUT: _hut,
        Use.HALL: _hall,
        Use.BLOCK: _block,
        Use.GREENHOUSE: _greenhouse,
    }[use]
    parts, default = maker(rng, rect)
    choices = ROOFS[material or default]
    colour = np.array(choices[rng.integers(len(choices))], np.float32)
    colour = colour * np.float32(rng.uniform(0.78, 1.22))
    colour[:3] *= (1 + rng.normal(0, 0.03, 3)).astype(np.float32)
    return Building(
        use=use,
        parts=tuple(parts),
        colour=np.minimum(colour, 0.75),
        lines=float(rng.uniform(0.01, 0.09)),
        weather=float(rng.uniform(0.03, 0.13)),
        key=int(rng.integers(2**31)),
    )


def draw_building(layers: Layers, building: Building) -> None:
    """Draw a finished building; from 2.5 m a pixel on, only its plain shape."""
    if layers.grid.step >= 2.5:
        _draw_plain(layers, building)
        return
    for index, part in enumerate(building.parts):
        _draw_part(layers, building, part, index)
    if layers.grid.step <= 0.8:
        _draw_fittings(layers, building)


def _draw_plain(layers: Layers, building: Building) -> None:
    for part in building.parts:
        pixels = rect_pixels(layers.grid, part.rect)
        if pixels is not None:
            lay(layers, pixels.window, pixels.cover, building.colour[: layers.bands])
            raise_to(layers, pixels.window, pixels.cover, part.eave + part.rise / 2)


def roof_heights(part: Part, pixels: RectPixels) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height over the ground and the slopes along u and v of one part's roof, each (h, w)."""
    u, v = pixels.u, pixels.v
    half = np.float32(part.rect.width / 2)
    pitch = np.float32(part.rise / half)
    height = np.full(u.shape, part.eave, np.float32)
    slope_u, slope_v = np.zeros_like(u), np.zeros_like(u)
    if part.roof == Roof.GABLE:
        height += pitch * pixels.inside_v
        slope_v -= pitch * np.sign(v)
    elif part.roof == Roof.HIP:
        end = pixels.inside_u < pixels.inside_v
        height += pitch * np.minimum(pixels.inside_u, pixels.inside_v)
        slope_u -= pitch * np.sign(u) * end
        slope_v -= pitch * np.sign(v) * ~end
    elif part.roof == Roof.SHED:
        height += pitch / 2 * (half - v)
        slope_v -= pitch / 2
    elif part.roof == Roof.SAWTOOTH:
        tooth = np.mod(u, np.float32(8.0))
        steep = tooth > 6.5
        height += np.where(steep, (8 - tooth) * np.float32(1.3), tooth * np.float32(0.3))
        slope_u += np.where(steep, np.float32(-1.3), np.float32(0.3))
    elif part.roof == Roof.BARREL:
        bow = v / half
        height += np.float32(part.rise) * (1 - bow * bow)
        slope_v -= 2 * pitch * bow
    return height, slope_u, slope_v


def _draw_part(layers: Layers, building: Building, part: Part, index: int) -> None:
    pixels = rect_pixels(layers.grid, part.rect)
    if pixels is None:
        return
    height, slope_u, slope_v = roof_heights(part, pixels)
    window = pixels.window
    top = (pixels.cover > 0.5) & (height > layers.height[window])
    cover = np.where(top | (layers.height[window] < part.eave), pixels.cover, 0)
    line = smooth_line(0)
    along = pixels.u if part.roof != Roof.SAWTOOTH else pixels.v
    stripes = line[
        (np.abs(along * 6 + building.key % 4096 + 97 * index)).astype(np.int64) % line.size
    ]
    tone = 1 + building.lines * stripes + building.weather * layers.grain[window]
    if part.roof == Roof.FLAT and layers.grid.step < 0.8:
        rim = np.minimum(pixels.inside_u, pixels.inside_v) < 0.5
        tone = tone * np.where(rim, 1.22, 1.0)
    lay(layers, window, cover, building.colour[: layers.bands] * tone[..., None])
    across = part.rect.angle
    c, s = np.float32(np.cos(across)), np.float32(np.sin(across))
    np.copyto(layers.slope_x[window], slope_u * c - slope_v * s, where=top)
    np.copyto(layers.slope_y[window], slope_u * s + slope_v * c, where=top)
    raise_to(layers, window, pixels.cover, height)


def _draw_fittings(layers: Layers, building: Building) -> None:
    """Vents, skylights, chimneys, solar panels: small things that roofs carry."""
    rng = np.random.default_rng(building.key)
    for part in building.parts:
        rect = part.rect
        area = rect.length * rect.width
        flat = part.roof == Roof.FLAT
        count = rng.poisson(min(area / (70 if flat else 160), 14))
        for _ in range(int(count)):
            u = rng.uniform(-0.42, 0.42) * rect.length
            v = rng.uniform(-0.4, 0.4) * rect.width
            size = rng.uniform(0.7, 2.6 if flat else 1.3)
            c, s = np.cos(rect.angle), np.sin(rect.angle)
            small = Rect(
                rect.x + u * c - v * s,
                rect.y + u * s + v * c,
                size * rng.uniform(1, 2),
                size,
                rect.angle,
            )
            pixels = rect_pixels(layers.grid, small)
            if pixels is None:
                continue
            shade = rng.choice([0.08, 0.16, 0.3, 0.5])
            lay(layers, pixels.window, pixels.cover, np.full(layers.bands, shade, np.float32))
            if flat:
                top = part.eave + rng.uniform(0.5, 2.0)
                raise_to(layers, pixels.window, pixels.cover, top)


def _house(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    eave = rng.uniform(2.6, 5.5)
    roof = Roof.HIP if rng.random() < 0.45 else Roof.GABLE
    width = min(rect.width, rng.uniform(7.0, 11.0))
    pitch = rng.uniform(0.28, 0.65)
    main = Rect(rect.x, rect.y, rect.length, width, rect.angle)
    parts = [Part(main, eave, width / 2 * pitch, roof)]
    if rng.random() < 0.5:
        wing_width = rng.uniform(0.35, 0.6) * rect.length
        wing_depth = rng.uniform(2.0, 5.0)
        side = rng.choice([-1, 1])
        u = rng.choice([-1, 1]) * (rect.length - wing_width) / 2
        wing = rect.at(u, side * (width / 2), wing_width, wing_depth * 2)
        turned = Rect(wing.x, wing.y, wing.width, wing.length, wing.angle + np.pi / 2)
        parts.append(Part(turned, eave * 0.96, wing_width / 2 * pitch * 0.8, roof))
    return parts, "tile" if rng.random() < 0.5 else "shingle"


def _villa(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    eave = rng.uniform(3.0, 6.2)
    pitch = rng.uniform(0.35, 0.65)
    roof = Roof.HIP if rng.random() < 0.75 else Roof.GABLE
    width = rect.width * rng.uniform(0.6, 0.8)
    main = rect.at(0, rect.width * 0.1, rect.length, width)
    parts = [Part(main, eave, width / 2 * pitch, roof)]
    for side in (-1, 1):
        if rng.random() < 0.75:
            wing = rng.uniform(0.32, 0.48) * rect.length
            deep = rect.width * rng.uniform(0.75, 1.0)
            at = rect.at(side * (rect.length - wing) / 2, rng.uniform(-1.5, 1.5), wing, deep)
            turned = Rect(at.x, at.y, at.width, at.length, at.angle + np.pi / 2)
            parts.append(Part(turned, eave * rng.uniform(0.9, 1.0), wing / 2 * pitch, roof))
    return parts, "shingle" if rng.random() < 0.8 else "tile"


def _farmhouse(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    """A house with a yard at its south and low side buildings: northern Chinese and Korean."""
    eave = rng.uniform(2.6, 3.4)
    deep = min(rect.width * 0.5, rng.uniform(5.0, 7.5))
    main = rect.at(0, -(rect.width - deep) / 2, rect.length, deep)
    roof = Roof.GABLE if rng.random() < 0.75 else Roof.FLAT
    parts = [Part(main, eave, deep / 2 * rng.uniform(0.35, 0.6), roof)]
    for side in (-1, 1):
        if rng.random() < 0.5:
            small = rng.uniform(2.4, 3.6)
            long = rect.width - deep
            at = rect.at(side * (rect.length - small) / 2, deep / 2, small, long)
            parts.append(Part(at, eave * 0.8, 0.5, Roof.SHED if rng.random() < 0.5 else Roof.FLAT))
    material = "tile" if rng.random() < 0.7 else ("metal" if rng.random() < 0.5 else "flat")
    return parts, material


def _row(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    """Dwellings under one long roof, with a lower kitchen wing here and there."""
    eave = rng.uniform(2.6, 3.2)
    roof = Roof.GABLE if rng.random() < 0.85 else Roof.FLAT
    parts = [Part(rect, eave, rect.width / 2 * rng.uniform(0.35, 0.6), roof)]
    for u in np.arange(5.0 - rect.length / 2, rect.length / 2 - 3, 10.0):
        if rng.random() < 0.6:
            wing = rect.at(float(u), rect.width / 2 + 1.8, 2.6, 4.2)
            parts.append(Part(wing, eave * 0.8, 0.4, Roof.FLAT))
    return parts, "tile" if rng.random() < 0.75 else "metal"


def _hut(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    roof = rng.choice([Roof.FLAT, Roof.SHED, Roof.GABLE])
    return [Part(rect, rng.uniform(2.2, 3.0), 0.6, Roof(roof))], "metal"


def _hall(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    eave = rng.uniform(4.5, 11.0)
    roof = Roof(rng.choice([Roof.GABLE, Roof.GABLE, Roof.FLAT, Roof.SAWTOOTH, Roof.BARREL]))
    bays = 1
    if roof in {Roof.GABLE, Roof.BARREL} and rect.width > 30 and rng.random() < 0.7:
        bays = max(2, round(rect.width / rng.uniform(15, 26)))
    bay = rect.width / bays
    rise = bay / 2 * (rng.uniform(0.08, 0.22) if roof == Roof.GABLE else 0.3)
    parts = [
        Part(rect.at(0, (i + 0.5) * bay - rect.width / 2, rect.length, bay), eave, rise, roof)
        for i in range(bays)
    ]
    if rng.random() < 0.3:
        depth = rng.uniform(5, 10)
        at = rect.at(0, -(rect.width + depth) / 2 + 0.2, rect.length * rng.uniform(0.2, 0.5), depth)
        parts.append(Part(at, eave * 0.6, 0.5, Roof.FLAT))
    return parts, "metal" if rng.random() < 0.8 else "flat"


def _block(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    low, high = ((3, 8), (8, 16), (16, 27))[rng.choice(3, p=[0.7, 0.24, 0.06])]
    floors = int(rng.integers(low, high))
    eave = 3.0 * floors
    parts = [Part(rect, eave, 0.5, Roof.FLAT)]
    steps = max(1, round(rect.length / 18))
    for i in range(steps):
        u = (i + 0.5) * rect.length / steps - rect.length / 2
        tower = rect.at(u, rect.width * 0.18, 4.5, rect.width * 0.4)
        parts.append(Part(tower, eave + 3.0, 0.5, Roof.FLAT))
    return parts, "flat" if rng.random() < 0.8 else "shingle"


def _greenhouse(rng: np.random.Generator, rect: Rect) -> tuple[list[Part], str]:
    return [Part(rect, 1.2, min(rect.width / 3, 2.8), Roof.BARREL)], "glass"
