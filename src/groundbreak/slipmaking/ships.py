"""Ships drawn into a picture, and ships taken out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray

_FINE = 4  # hulls are drawn this much finer and averaged down
_HULLS = np.array(  # red, green, blue, near infrared
    [
        [0.28, 0.10, 0.08, 0.26],
        [0.08, 0.10, 0.14, 0.10],
        [0.30, 0.31, 0.32, 0.30],
        [0.10, 0.22, 0.16, 0.20],
        [0.48, 0.48, 0.47, 0.44],
        [0.20, 0.18, 0.16, 0.20],
    ],
    dtype=np.float32,
)


@dataclass(frozen=True)
class Ship:
    """Middle in pixels (x, y), heading in radians from the x axis, length in pixels."""

    x: float
    y: float
    heading: float
    length: float
    wake: bool = False


def draw_ship(
    rng: np.random.Generator, pixels: FloatArray, ship: Ship, bright: float
) -> FloatArray:
    """Draw a ship over a picture.

    Args:
        rng: source of randomness (livery, cargo).
        pixels: (3 or 4 bands, height, width): red, green, blue, near infrared.
        ship: what and where.
        bright: brightness of bright ground here, to which the livery is scaled.

    Returns:
        The picture with the ship, a copy.
    """
    shape = pixels.shape[1:]
    reach = ship.length * (2.5 if ship.wake else 0.75) + 3
    y0, y1 = (int(np.clip(ship.y + s * reach, 0, shape[0])) for s in (-1, 1))
    x0, x1 = (int(np.clip(ship.x + s * reach, 0, shape[1])) for s in (-1, 1))
    if y1 - y0 < 2 or x1 - x0 < 2:
        return pixels
    fine = (np.arange(_FINE) + 0.5) / _FINE
    y = (np.arange(y0, y1)[:, None] + fine).ravel().astype(np.float32) - ship.y
    x = (np.arange(x0, x1)[:, None] + fine).ravel().astype(np.float32) - ship.x
    along = x[None, :] * math.cos(ship.heading) + y[:, None] * math.sin(ship.heading)
    across = y[:, None] * math.cos(ship.heading) - x[None, :] * math.sin(ship.heading)
    out = pixels.copy()
    box = (slice(None), slice(y0, y1), slice(x0, x1))
    grain = 1 + 0.08 * rng.standard_normal((y1 - y0, x1 - x0))
    scale = bright / 0.4
    for cover, colour in _parts(rng, ship, along, across):
        alpha = cover.reshape(y1 - y0, _FINE, x1 - x0, _FINE).mean(axis=(1, 3))
        value = np.clip(colour * scale, 0, 1)[: pixels.shape[0], None, None]
        out[box] += alpha * (value * grain - out[box])
    return out


def _parts(
    rng: np.random.Generator, ship: Ship, along: FloatArray, across: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """Coverage in [0, 1] on the fine grid and colour, from the wake up to the bridge."""
    half, beam = ship.length / 2, ship.length / rng.uniform(5.5, 7.5) / 2
    parts: list[tuple[FloatArray, FloatArray]] = []
    if ship.wake:
        behind = np.clip(-along - half * 0.8, 0, None)
        width = beam * 0.7 + 0.08 * behind
        fade = np.exp(-behind / (1.2 * ship.length)) * (behind > 0) * (along > -2.4 * ship.length)
        strength = rng.uniform(0.1, 0.6)
        parts.append((strength * fade * (np.abs(across) < width), np.full(4, 0.42, np.float32)))
    bow = np.clip((half - along) / (0.22 * ship.length), 0, 1) ** 0.6
    hull = (np.abs(along) < half) & (np.abs(across) < beam * bow)
    livery = _HULLS[rng.integers(len(_HULLS))] * rng.uniform(0.7, 1.25)
    parts.append((hull.astype(np.float32), livery))
    if rng.random() < 0.6:  # holds, hatches or containers
        row = np.sin(along * 2 * np.pi / max(ship.length / rng.uniform(5, 14), 1e-6)) > -0.2
        hold = hull & row & (np.abs(across) < beam * 0.7) & (along > -0.6 * half)
        cargo = rng.uniform(0.12, 0.42) * (1 + rng.uniform(-0.35, 0.35, 4))
        parts.append((rng.uniform(0.5, 1.0) * hold, cargo.astype(np.float32)))
    bridge = hull & (np.abs(along + 0.75 * half) < 0.1 * half) & (np.abs(across) < 0.85 * beam)
    parts.append((bridge.astype(np.float32), np.full(4, rng.uniform(0.4, 0.65), np.float32)))
    return parts


def floating(water: BoolArray, valid: BoolArray, gsd_m: float) -> BoolArray:
    """What lies in the water and is as small as a ship: pixels with a small rim.

    Moored ships touch the quay and are not among them.
    """
    things, count = ndimage.label(~water & valid, structure=np.ones((3, 3)))
    sizes = np.bincount(things.ravel(), minlength=count + 1)
    small = sizes * gsd_m**2 < 24_000
    small[0] = False
    ships = small[things]
    return ndimage.binary_dilation(ships, iterations=2 if gsd_m > 5 else 3) & valid
