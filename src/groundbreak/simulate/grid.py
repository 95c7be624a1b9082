"""The raster a world is drawn on, and the frames that streets and fields follow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import FloatArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class DrawGrid:
    """A square-pixel raster over the world's plane: x metres east, y metres *south*.

    ``x0``, ``y0`` is the outer corner of the first pixel, ``step`` the pixel size in metres.
    """

    x0: float
    y0: float
    step: float
    shape: tuple[int, int]

    @property
    def x(self) -> FloatArray:
        """Pixel centres along the columns."""
        return (self.x0 + (np.arange(self.shape[1]) + 0.5) * self.step).astype(np.float32)

    @property
    def y(self) -> FloatArray:
        """Pixel centres along the rows."""
        return (self.y0 + (np.arange(self.shape[0]) + 0.5) * self.step).astype(np.float32)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in metres."""
        return (
            self.x0,
            self.y0,
            self.x0 + self.shape[1] * self.step,
            self.y0 + self.shape[0] * self.step,
        )

    def cell(self, x: Floats, y: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels at these places, clipped to the raster."""
        col = np.clip(np.floor((x - self.x0) / self.step), 0, self.shape[1] - 1)
        row = np.clip(np.floor((y - self.y0) / self.step), 0, self.shape[0] - 1)
        return row.astype(np.intp), col.astype(np.intp)

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the pixel at a place, clipped to the raster."""
        row, col = self.cell(np.array([x]), np.array([y]))
        return int(row[0]), int(col[0])


@dataclass(frozen=True)
class Frame:
    """Local (u, v) axes: a rotation about a point, bent by two slow waves.

    ``bend`` is the amplitude of the waves in metres, ``wavelength`` theirs in metres.
    """

    x: float
    y: float
    angle: float
    bend: float
    wavelength: float
    phase: float

    def to_local(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """World to local."""
        bent_x, bent_y = self._bent(x, y)
        px, py = bent_x - self.x, bent_y - self.y
        c, s = cos(self.angle), sin(self.angle)
        return px * c + py * s, -px * s + py * c

    def to_world(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Local to world, by three fixed-point steps."""
        c, s = cos(self.angle), sin(self.angle)
        goal_x, goal_y = self.x + u * c - v * s, self.y + u * s + v * c
        x, y = goal_x, goal_y
        for _ in range(3 if self.bend else 0):
            bent_x, bent_y = self._bent(x, y)
            x, y = x + goal_x - bent_x, y + goal_y - bent_y
        return x, y

    def heading(self, x: Floats, y: Floats) -> Floats:
        """Direction of the u axis at these places, in radians in the plane of x and y."""
        u, v = self.to_local(x, y)
        ahead_x, ahead_y = self.to_world(u + 2.0, v)
        return np.arctan2(ahead_y - y, ahead_x - x)

    def _bent(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        if not self.bend:
            return x, y
        k = 2 * np.pi / self.wavelength
        return (
            x + self.bend * np.sin(k * y + self.phase),
            y + self.bend * np.sin(k * 0.83 * x + 2.1 * self.phase),
        )


@dataclass(frozen=True)
class Strips:
    """An irregular division of a frame: rows across v, each cut along u on its own.

    ``rows`` are the row edges; ``street`` says which of them carry a street or track; ``cross``
    are u positions where streets cross all rows; ``cuts`` (rows, n) the cell edges in each row.
    """

    rows: FloatArray
    street: NDArray[np.bool_]
    cross: FloatArray
    cuts: tuple[FloatArray, ...]

    @property
    def first(self) -> NDArray[np.int64]:
        """Number of the first cell of every row; cells count along rows."""
        counts = [cut.size - 1 for cut in self.cuts]
        return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(sum(cut.size - 1 for cut in self.cuts))

    def locate(self, u: Floats, v: Floats) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
        """Cell number and distances to the nearest row edge, street edge and cell side."""
        row = np.clip(np.searchsorted(self.rows, v) - 1, 0, len(self.cuts) - 1)
        span = float(self.cuts[0][-1] - self.cuts[0][0]) + 1e4
        low = float(self.cuts[0][0]) - 5e3
        flat = np.concatenate([np.float64(cut) - low + i * span for i, cut in enumerate(self.cuts)])
        inner = np.clip(u - low, 1.0, span - 1.0)
        at = np.searchsorted(flat, inner + row * span)
        at = np.clip(at, 1, flat.size - 1)
        side = np.minimum(
            np.abs(inner + row * span - flat[at - 1]), np.abs(flat[at] - inner - row * span)
        )
        cell = np.clip(at - 1 - row, 0, self.count - 1)
        below, above = v - self.rows[row], self.rows[row + 1] - v
        edge = np.minimum(np.abs(below), np.abs(above))
        far = np.float32(1e6)
        to_street = np.minimum(
            np.where(self.street[row], np.abs(below), far),
            np.where(self.street[row + 1], np.abs(above), far),
        )
        if self.cross.size:
            nearest = np.clip(np.searchsorted(self.cross, u), 1, max(self.cross.size - 1, 1))
            left = self.cross[nearest - 1]
            right = self.cross[np.minimum(nearest, self.cross.size - 1)]
            to_street = np.minimum(to_street, np.minimum(np.abs(u - left), np.abs(right - u)))
        return cell.astype(np.int64), edge, to_street, side


@dataclass(frozen=True)
class StripRule:
    """How strips are cut, in metres: ``depth`` and ``width`` of cells as (low, high).

    ``every`` n-th row edge is a street; ``block`` is the spacing of cross streets, 0 for none.
    """

    depth: tuple[float, float]
    width: tuple[float, float]
    every: int = 2
    block: tuple[float, float] = (0.0, 0.0)
    equal_width: bool = False


def cut_strips(rng: np.random.Generator, rule: StripRule, reach: float) -> Strips:
    """Divide the square of half side ``reach`` about a frame's origin."""
    rows = _edges(rng, rule.depth, reach, same=rule.every == 2)
    street = (np.arange(rows.size) % rule.every == 0) if rule.every else np.zeros(rows.size, bool)
    cross = _edges(rng, rule.block, reach) if rule.block[1] else np.zeros(0, np.float32)
    cuts = []
    for _ in range(rows.size - 1):
        width = rule.width
        if rule.equal_width:
            one = rng.uniform(*rule.width)
            width = (one * 0.96, one * 1.04)
        if cross.size:
            parts = []
            for a, b in pairwise(cross):
                n = max(1, round(float(b - a) / float(rng.uniform(*width))))
                parts.append(np.linspace(a, b, n + 1, dtype=np.float32)[:-1])
            cuts.append(np.concatenate([*parts, cross[-1:]]).astype(np.float32))
        else:
            cuts.append(_edges(rng, width, reach))
    return Strips(rows, street, cross, tuple(cuts))


def _edges(
    rng: np.random.Generator, size: tuple[float, float], reach: float, same: bool = False
) -> FloatArray:
    n = int(2 * reach / size[0]) + 2
    steps = np.full(n, rng.uniform(*size)) if same else rng.uniform(*size, n)
    edges = -reach - rng.uniform(0, size[1]) + np.concatenate([[0.0], np.cumsum(steps)])
    last = int(np.searchsorted(edges, reach)) + 1
    return edges[: last + 1].astype(np.float32)
