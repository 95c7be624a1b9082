"""Procedural textures: seeded noise from a small bank, made once a process.

Random crops of periodic tiles are two orders of magnitude cheaper than fresh noise for every
picture, and 1/f noise looks the same at every scale, so that one bank serves every ground size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from groundbreak.types import FloatArray

_BANK_SEED = 20_240_501
_TILES = 3
CELLS = 32
"""Crowns along one side of the periodic crown tile."""
_CELL_PX = 32


@dataclass(frozen=True)
class CrownTile:
    """A periodic plane of tree crowns, ``CELLS`` cells a side.

    ``dx``, ``dy`` point from the pixel to the centre of its nearest crown, in cells; ``key`` is
    a random number in [0, 1) per crown and ``radius`` its radius in cells.
    """

    dx: FloatArray
    dy: FloatArray
    key: FloatArray
    radius: FloatArray


def spectral(rng: np.random.Generator, size: int, exponent: float) -> FloatArray:
    """Periodic Gaussian noise with amplitude ~ frequency^-exponent, zero mean, unit deviation."""
    white = rng.standard_normal((size, size), np.float32)
    spectrum = fft.rfft2(white)
    fy = np.fft.fftfreq(size)[:, None]
    fx = np.fft.rfftfreq(size)[None, :]
    radius = np.hypot(fy, fx).astype(np.float32)
    radius[0, 0] = 1.0
    spectrum *= radius**-exponent
    spectrum[0, 0] = 0.0
    field = fft.irfft2(spectrum, s=(size, size))
    return np.asarray(field / field.std(), np.float32)


@lru_cache(maxsize=64)
def _tile(exponent: float, size: int, index: int) -> FloatArray:
    rng = np.random.default_rng([_BANK_SEED, int(exponent * 100), size, index])
    return spectral(rng, size, exponent)


def noise(rng: np.random.Generator, shape: tuple[int, int], exponent: float) -> FloatArray:
    """A random crop of periodic noise, unit deviation over the whole tile.

    Args:
        rng: source of the crop's place.
        shape: (height, width) of the result.
        exponent: spectral slope of the amplitude: 0 white, 1 soil, 2 smooth. The bank keeps a
            tile for every value, so use few: 0, 0.5, 1, 1.5, 2.
    """
    size, tiles = (1024, _TILES) if max(shape) <= 1024 else (2048, 1)
    tile = _tile(exponent, size, int(rng.integers(tiles)))
    if rng.random() < 0.5:
        tile = tile.T
    if rng.random() < 0.5:
        tile = tile[::-1]
    y, x = rng.integers(size, size=2)
    rows = (np.arange(shape[0]) + y) % size
    cols = (np.arange(shape[1]) + x) % size
    return tile[rows[:, None], cols[None, :]]


@lru_cache(maxsize=4)
def smooth_line(index: int, length: int = 8192) -> FloatArray:
    """Periodic 1-D noise between white and smooth, unit deviation: furrows, planks, tyre tracks."""
    rng = np.random.default_rng([_BANK_SEED, 7, index])
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length)
    frequency[0] = 1.0
    spectrum *= frequency**-0.6
    spectrum[0] = 0.0
    line = np.fft.irfft(spectrum, n=length)
    return (line / line.std()).astype(np.float32)


@lru_cache(maxsize=1)
def crown_tile() -> CrownTile:
    """The crown tile: jittered centres, every pixel assigned to the crown that covers it best."""
    rng = np.random.default_rng([_BANK_SEED, 11])
    centre_x = rng.uniform(0.1, 0.9, (CELLS, CELLS)).astype(np.float32)
    centre_y = rng.uniform(0.1, 0.9, (CELLS, CELLS)).astype(np.float32)
    radius = rng.uniform(0.42, 0.78, (CELLS, CELLS)).astype(np.float32)
    order = rng.permutation(CELLS * CELLS).reshape(CELLS, CELLS)
    key = (order / CELLS**2).astype(np.float32)
    axis = (np.arange(CELLS * _CELL_PX, dtype=np.float32) + 0.5) / _CELL_PX
    cell = np.floor(axis).astype(np.int64)
    fraction = (axis - cell).astype(np.float32)
    best = np.full((axis.size, axis.size), np.inf, np.float32)
    found: list[FloatArray] = [np.zeros_like(best) for _ in range(4)]
    for step_y in (-1, 0, 1):
        for step_x in (-1, 0, 1):
            index = np.ix_((cell + step_y) % CELLS, (cell + step_x) % CELLS)
            dx = centre_x[index] + step_x - fraction[None, :]
            dy = centre_y[index] + step_y - fraction[:, None]
            cost = np.hypot(dx, dy) / radius[index]
            closer = cost < best
            best[closer] = cost[closer]
            values: list[FloatArray] = [dx, dy, key[index], radius[index]]
            for target, value in zip(found, values, strict=True):
                target[closer] = value[closer]
    return CrownTile(*found)


def crown_samples(axis: FloatArray, cell_m: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Where a ground axis (metres) falls on the crown tile.

    Returns:
        The tile's row or column under every place, and what to add to the tile's offset there
        (in cells) because the place is not in the middle of the tile's pixel.
    """
    at = axis * np.float32(_CELL_PX / cell_m)
    pixel = np.floor(at)
    rest = (pixel + np.float32(0.5) - at) / np.float32(_CELL_PX)
    return pixel.astype(np.int64) % (CELLS * _CELL_PX), rest
