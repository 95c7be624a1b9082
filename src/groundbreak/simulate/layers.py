"""What is drawn so far: colour, height and slope of everything that stands on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np

from groundbreak.simulate.grid import DrawGrid
from groundbreak.types import FloatArray


@dataclass(frozen=True)
class Layers:
    """Rasters on one grid; drawing changes them in place.

    ``albedo`` (h, w, bands) and ``cover`` (h, w), how much of the pixel it hides, 0 to 1;
    ``height`` (h, w) in metres above the ground; ``slope_x``, ``slope_y`` (h, w) of the roofs.
    ``grain`` (h, w) is noise that weathers what is drawn.
    """

    grid: DrawGrid
    albedo: FloatArray
    cover: FloatArray
    height: FloatArray
    slope_x: FloatArray
    slope_y: FloatArray
    grain: FloatArray

    @property
    def bands(self) -> int:
        """Number of bands drawn."""
        return int(self.albedo.shape[2])

    def copy(self) -> Layers:
        """An independent copy to draw one date's things on."""
        return Layers(
            self.grid,
            self.albedo.copy(),
            self.cover.copy(),
            self.height.copy(),
            self.slope_x.copy(),
            self.slope_y.copy(),
            self.grain,
        )


def empty_layers(grid: DrawGrid, bands: int, grain: FloatArray) -> Layers:
    """Nothing drawn yet."""
    h, w = grid.shape
    return Layers(
        grid,
        np.zeros((h, w, bands), np.float32),
        np.zeros((h, w), np.float32),
        np.zeros((h, w), np.float32),
        np.zeros((h, w), np.float32),
        np.zeros((h, w), np.float32),
        grain,
    )


@dataclass(frozen=True)
class Rect:
    """An oriented rectangle: centre, length along ``angle`` and width across, in metres."""

    x: float
    y: float
    length: float
    width: float
    angle: float

    def at(self, u: float, v: float, length: float, width: float) -> Rect:
        """Another rectangle along the same axes, centred (u, v) metres from this one's centre."""
        c, s = cos(self.angle), sin(self.angle)
        return Rect(
            float(self.x + u * c - v * s),
            float(self.y + u * s + v * c),
            float(length),
            float(width),
            self.angle,
        )

    def grown(self, by: float) -> Rect:
        """The rectangle with every side moved out by ``by`` metres."""
        return Rect(self.x, self.y, self.length + 2 * by, self.width + 2 * by, self.angle)


@dataclass(frozen=True)
class RectPixels:
    """The pixels near a rectangle, in its own axes.

    ``u``, ``v`` (metres from the centre), ``inside_u``, ``inside_v`` (metres from the ends and
    the sides, negative outside) and ``cover`` (0 to 1), all of the window's shape.
    """

    window: tuple[slice, slice]
    u: FloatArray
    v: FloatArray
    inside_u: FloatArray
    inside_v: FloatArray
    cover: FloatArray


def rect_pixels(grid: DrawGrid, rect: Rect, reach: float = 0.0) -> RectPixels | None:
    """The rectangle's pixels (and those within ``reach`` metres); None when it is off the grid."""
    c, s = cos(rect.angle), sin(rect.angle)
    half_x = (abs(c) * rect.length + abs(s) * rect.width) / 2 + reach + grid.step
    half_y = (abs(s) * rect.length + abs(c) * rect.width) / 2 + reach + grid.step
    r0 = max(int((rect.y - half_y - grid.y0) / grid.step), 0)
    r1 = min(int((rect.y + half_y - grid.y0) / grid.step) + 1, grid.shape[0])
    c0 = max(int((rect.x - half_x - grid.x0) / grid.step), 0)
    c1 = min(int((rect.x + half_x - grid.x0) / grid.step) + 1, grid.shape[1])
    if r0 >= r1 or c0 >= c1:
        return None
    x = np.arange(c0, c1, dtype=np.float32) * grid.step + np.float32(
        grid.x0 + grid.step / 2 - rect.x
    )
    y = np.arange(r0, r1, dtype=np.float32)[:, None] * grid.step + np.float32(
        grid.y0 + grid.step / 2 - rect.y
    )
    u = x * np.float32(c) + y * np.float32(s)
    v = y * np.float32(c) - x * np.float32(s)
    inside_u = np.float32(rect.length / 2) - np.abs(u)
    inside_v = np.float32(rect.width / 2) - np.abs(v)
    edge = np.minimum(inside_u, inside_v) / np.float32(grid.step)
    cover = np.clip(edge + np.float32(0.5), 0, 1).astype(np.float32, copy=False)
    return RectPixels((slice(r0, r1), slice(c0, c1)), u, v, inside_u, inside_v, cover)


def lay(layers: Layers, window: tuple[slice, slice], cover: FloatArray, colour: FloatArray) -> None:
    """Blend a colour, (bands,) or (h, w, bands), over a window."""
    share = cover[..., None]
    albedo = layers.albedo[window]
    albedo += share * (colour - albedo)
    np.maximum(layers.cover[window], cover, out=layers.cover[window])


def raise_to(
    layers: Layers, window: tuple[slice, slice], where: FloatArray, height: FloatArray | float
) -> None:
    """Set the height where ``where`` > 0.5 to the larger of the old one and ``height``."""
    old = layers.height[window]
    np.copyto(old, np.maximum(old, height), where=where > 0.5)
