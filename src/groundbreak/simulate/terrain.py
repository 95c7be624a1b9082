"""The shore and the heights of the land."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundbreak.simulate.grid import DrawGrid, Floats, Frame
from groundbreak.simulate.noise import noise
from groundbreak.types import FloatArray

INLAND_M = 30.0
"""Height of a place without a shore."""


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

    def distance(self, x: Floats, y: Floats) -> Floats:
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


def elevation(rng: np.random.Generator, grid: DrawGrid, coast: Coast | None) -> FloatArray:
    """Metres above mean sea, (h, w)."""
    size_m = grid.step * max(grid.shape)
    relief = noise(rng, grid.shape, 2.0) * np.float32(size_m * rng.uniform(0.0, 0.012))
    relief += noise(rng, grid.shape, 1.5) * np.float32(min(0.0012 * size_m, 0.35))
    if coast is None:
        return np.asarray(INLAND_M + relief, np.float32)
    shore = coast.distance(grid.x[None, :], grid.y[:, None]).astype(np.float32)
    shore += noise(rng, grid.shape, 1.5) * np.float32(5.0)
    beach = np.float32(3.0)
    behind = np.maximum(shore - beach / coast.slope, 0) * np.float32(0.01)
    land = np.minimum(shore * coast.slope, beach) + behind
    inland = np.clip(shore / 120.0, 0, 1)
    return np.where(shore > 0, land + relief * inland, shore * coast.slope).astype(np.float32)
